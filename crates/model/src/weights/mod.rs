//! Named tensors over memory maps, whichever file they came from.
//!
//! Names are the ones GGUF uses (`blk.0.attn_q.weight`); [`crate::names`] translates the others. A matrix
//! stays where it lies in the file, in the type it is stored in; only small vectors (norms, biases)
//! are copied out as f32.

pub(crate) mod interleave;
pub mod linear;
pub mod map;
pub(crate) mod split;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use kernels::format::{Format, Matrix, dequantize};
use kernels::rounded::Weight;
use kernels::rounded::interleaved::Interleaved;

use crate::Error;
use crate::gguf::Gguf;
use map::Bytes;

/// All tensors of a model by name.
#[derive(Debug)]
pub struct Weights {
    path: PathBuf,
    tensors: HashMap<String, Tensor>,
}

/// One tensor as it is stored.
#[derive(Debug, Clone)]
pub struct Tensor {
    pub storage: Storage,
    /// Outermost first: a weight is `[out, in]`.
    pub shape: Vec<usize>,
    pub bytes: Bytes,
}

/// How a tensor's elements are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// In a type that the kernels multiply.
    Ready(Format),
    /// In a type that cannot be used; kept by name so that a file may carry it in a tensor nobody needs.
    Other(&'static str),
}

impl Weights {
    /// The tensors of a GGUF file under their own names.
    pub fn from_gguf(gguf: &Gguf) -> Result<Self, Error> {
        let mut weights = Self::new(gguf.path());
        for info in gguf.tensors() {
            let storage = info.kind.format().map_or(Storage::Other(info.kind.name), Storage::Ready);
            let bytes = gguf.tensor_bytes(info)?;
            weights.insert(info.name.clone(), Tensor { storage, shape: info.shape.clone(), bytes });
        }
        Ok(weights)
    }

    /// No tensors yet; `path` is what errors name.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), tensors: HashMap::new() }
    }

    /// Adds a tensor; returns the one that had this name before.
    pub fn insert(&mut self, name: String, tensor: Tensor) -> Option<Tensor> {
        self.tensors.insert(name, tensor)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// The tensor called `name`, if the file has one.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }

    /// Takes away the tensor called `name`.
    pub fn remove(&mut self, name: &str) -> Option<Tensor> {
        self.tensors.remove(name)
    }

    /// All names, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Size of all tensors as stored.
    pub fn bytes(&self) -> usize {
        self.tensors.values().map(|tensor| tensor.bytes.len()).sum()
    }

    /// Number of elements of all tensors.
    pub fn n_elements(&self) -> usize {
        self.tensors.values().map(|tensor| tensor.shape.iter().product::<usize>()).sum()
    }

    /// The matrix `name` of `rows` outputs and `cols` inputs, left where it is.
    pub fn matrix(&self, name: &str, rows: usize, cols: usize) -> Result<StoredMatrix, Error> {
        let tensor = self.shaped(name, &[rows, cols])?;
        let (format, bytes) = match tensor.storage {
            Storage::Ready(format) => (format, tensor.bytes.clone()),
            Storage::Other(kind) => return Err(self.unusable(name, kind)),
        };
        if Matrix::new(format, rows, cols, &bytes).is_none() {
            let what = format!("tensor {name} has {} bytes, wrong for its shape", bytes.len());
            return Err(Error::malformed(&self.path, what));
        }
        Ok(StoredMatrix { format, rows, cols, bytes, layout: Layout::Rows })
    }

    /// The vector `name` of `len` elements as f32.
    pub fn vector(&self, name: &str, len: usize) -> Result<Vec<f32>, Error> {
        let tensor = self.shaped(name, &[len])?;
        let Storage::Ready(format) = tensor.storage else {
            return Err(self.unusable(name, "quantised"));
        };
        if Matrix::new(format, 1, len, &tensor.bytes).is_none() {
            let what =
                format!("tensor {name} has {} bytes, wrong for its shape", tensor.bytes.len());
            return Err(Error::malformed(&self.path, what));
        }
        let mut values = vec![0.0; len];
        dequantize(&mut values, format, &tensor.bytes);
        Ok(values)
    }

    /// The vector `name`, or `None` where the file has none.
    pub fn optional_vector(&self, name: &str, len: usize) -> Result<Option<Vec<f32>>, Error> {
        if self.contains(name) { self.vector(name, len).map(Some) } else { Ok(None) }
    }

    pub(crate) fn shaped(&self, name: &str, shape: &[usize]) -> Result<&Tensor, Error> {
        let Some(tensor) = self.get(name) else {
            return Err(Error::missing(
                &self.path,
                format!("tensor {name}"),
                "the file is incomplete or its metadata describes another model; fetch it again",
            ));
        };
        if tensor.shape != shape {
            let what = format!(
                "tensor {name} has shape {:?} where the configuration asks for {shape:?}",
                tensor.shape
            );
            return Err(Error::malformed(&self.path, what));
        }
        Ok(tensor)
    }

    pub(crate) fn unusable(&self, name: &str, kind: &str) -> Error {
        Error::unsupported(
            &self.path,
            format!("tensor {name} is stored as {kind}"),
            "use a file quantised as Q8_0, Q4_K_M, Q4_0 or stored as F16, BF16 or F32",
        )
    }
}

/// A weight matrix that keeps its bytes alive.
#[derive(Debug, Clone)]
pub struct StoredMatrix {
    pub format: Format,
    pub rows: usize,
    pub cols: usize,
    bytes: Bytes,
    layout: Layout,
}

/// How the bytes of a matrix are arranged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// As files have them.
    Rows,
    /// For products in integers: see [`kernels::rounded::interleaved`].
    Panels,
}

impl StoredMatrix {
    /// The kernels' view of it.
    pub fn view(&self) -> Weight<'_> {
        let Self { format, rows, cols, bytes, .. } = self;
        let view = match self.layout {
            Layout::Rows => Matrix::new(*format, *rows, *cols, bytes).map(Weight::Rows),
            Layout::Panels => Interleaved::new(*format, *rows, *cols, bytes).map(Weight::Panels),
        };
        view.expect("sizes were checked when the matrix was taken from the weights")
    }

    /// The same for exact products.
    ///
    /// # Panics
    /// When the matrix was rearranged, which only a decoder of fast products does.
    pub fn rows_view(&self) -> Matrix<'_> {
        match self.view() {
            Weight::Rows(matrix) => matrix,
            Weight::Panels(_) => unreachable!("rearranged weights are multiplied in integers"),
        }
    }

    /// Size as stored.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Asks for the matrix to be read from the disk in the background, where it is not in memory.
    pub fn will_need(&self) {
        self.bytes.will_need();
    }
}
