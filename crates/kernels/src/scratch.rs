//! Buffers for one task, kept per thread so that a forward pass does not allocate each time.

use std::cell::RefCell;

/// One cache line, so that buffers start on a line boundary and vector loads from them never straddle two.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line {
    _values: [f32; 16],
}

thread_local! {
    static BUFFERS: RefCell<Vec<Vec<Line>>> = const { RefCell::new(Vec::new()) };
}

/// Hands `work` a line-aligned buffer of `len` f32 with unspecified contents.
pub(crate) fn with<T>(len: usize, work: impl FnOnce(&mut [f32]) -> T) -> T {
    let mut buffer = BUFFERS.with_borrow_mut(Vec::pop).unwrap_or_default();
    let n_lines = len.div_ceil(16);
    if buffer.len() < n_lines {
        buffer.resize(n_lines, Line { _values: [0.0; 16] });
    }
    // SAFETY: `Line` is exactly 16 f32 without padding, and at least `len` f32 were just made.
    let slice = unsafe { std::slice::from_raw_parts_mut(buffer.as_mut_ptr().cast::<f32>(), len) };
    let result = work(slice);
    BUFFERS.with_borrow_mut(|buffers| buffers.push(buffer));
    result
}

/// The same for bytes.
pub(crate) fn with_bytes<T>(len: usize, work: impl FnOnce(&mut [u8]) -> T) -> T {
    with(len.div_ceil(4), |values| {
        // SAFETY: any f32 may be written and read as four bytes, and there are at least `len`.
        work(unsafe { std::slice::from_raw_parts_mut(values.as_mut_ptr().cast::<u8>(), len) })
    })
}

/// A pointer that tasks share to write disjoint parts of one slice.
#[derive(Clone, Copy)]
pub(crate) struct SharedMut<T>(*mut T);

// SAFETY: the pointer is only written through, and those who use it say why their parts are disjoint.
unsafe impl<T: Send> Send for SharedMut<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for SharedMut<T> {}

impl<T> SharedMut<T> {
    pub(crate) fn new(slice: &mut [T]) -> Self {
        Self(slice.as_mut_ptr())
    }

    /// A part of the slice that begins here.
    pub(crate) fn from_pointer(pointer: *mut T) -> Self {
        Self(pointer)
    }

    pub(crate) fn pointer(self) -> *mut T {
        self.0
    }

    /// # Safety
    /// `start..start + len` lies inside the slice, which outlives `'a`, and no other part handed out overlaps it.
    pub(crate) unsafe fn part<'a>(self, start: usize, len: usize) -> &'a mut [T] {
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.0.add(start), len) }
    }
}
