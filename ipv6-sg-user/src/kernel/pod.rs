//! The shared crate's map types, as aya wants to see them.

/// A plain-data type of the map ABI.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(super) struct Raw<T>(pub(super) T);

// SAFETY: `repr(transparent)`, and `bytemuck::Pod` promises what aya asks: any bit pattern is valid, no padding, no
// pointers.
unsafe impl<T: bytemuck::Pod> aya::Pod for Raw<T> {}
