//! Configuration, layers, decoder and encoder, and the weight files they come from.
