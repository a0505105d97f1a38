//! Where the running kernel keeps, in its `struct sk_buff`, what the packet path needs and no context field tells.

/// How many bytes of the structure are read at once.
pub const SKB_WINDOW: usize = 64;

/// Positions in a window of [`SKB_WINDOW`] bytes of `struct sk_buff`. They differ from kernel to kernel: user space takes
/// them from the kernel's BTF and puts them into the program before it is loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[repr(C)]
pub struct SkbLayout {
    /// Where the window starts in the structure, bytes.
    pub window: u32,
    /// The two-byte word of the window in which `ip_summed` lies.
    pub ip_summed: u32,
    /// Its lowest bit in that word; it has two.
    pub ip_summed_shift: u32,
    /// The word that is `csum_start`: where the sum begins, bytes from the start of the buffer.
    pub csum_start: u32,
    /// The word that is `csum_offset`: where it is written, bytes from there.
    pub csum_offset: u32,
    /// The word that is `mac_header`: where the frame begins, bytes from the start of the buffer.
    pub mac_header: u32,
    /// The word in which `encapsulation` lies: whether `inner_network_header` means anything.
    pub encapsulation: u32,
    /// Its only bit in that word.
    pub encapsulation_shift: u32,
    /// The word that is `inner_network_header`: where the packet inside a tunnel begins, bytes from the start of the buffer.
    pub inner_network_header: u32,
}

impl SkbLayout {
    /// The name of the program's variable.
    pub const NAME: &str = "SKB_LAYOUT";
    /// `ip_summed` when a checksum is due (`CHECKSUM_PARTIAL`).
    pub const CHECKSUM_DUE: u16 = 3;
}
