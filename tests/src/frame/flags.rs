//! Flags of a TCP segment (RFC 9293 section 3.1), as [`tcp`](super::tcp) takes them.

/// Its sender has no more data.
pub const FIN: u8 = 0x01;
/// Opens a connection.
pub const SYN: u8 = 0x02;
/// Breaks one off.
pub const RST: u8 = 0x04;
/// Answers.
pub const ACK: u8 = 0x10;
