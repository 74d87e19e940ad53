//! What a training run cost: meters of energy, a journal that survives crashes, the disclosure written from it.
