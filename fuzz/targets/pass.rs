//! What is done with a file that says it is a decoder: it is loaded, and where it loads it reads two tokens.

use std::path::Path;

use kernels::pool::Pool;
use model::decoder::{Decoder, KvCache, Precision, Rows, read};

pub(crate) fn load_and_run(path: &Path) {
    let Ok((config, weights)) = read(path) else { return };
    let Ok(decoder) = Decoder::new(config, &weights) else { return };
    let pool = Pool::new(1);
    for precision in [Precision::Exact, Precision::Fast] {
        // Whatever the description says of sizes, the weights of this file are small.
        let decoder = Decoder::new(decoder.config().clone(), &weights).expect("it loaded before");
        let decoder = decoder.with_precision(precision).interleaved(&pool);
        let mut cache = KvCache::new(decoder.config(), 4);
        drop(decoder.forward(&pool, &mut cache, &[0, 1], Rows::All));
        drop(decoder.forward(&pool, &mut cache, &[1], Rows::Last));
    }
}
