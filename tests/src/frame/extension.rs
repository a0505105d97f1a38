//! Extension headers (RFC 8200 section 4).

/// Pads an option area to a length of 8n-2 bytes with PadN: what fills a hop-by-hop or destination options header.
fn padded(options: &[u8]) -> Vec<u8> {
    let mut body = options.to_vec();
    match (8 - (body.len() + 2) % 8) % 8 {
        0 => {}
        1 => body.push(0),
        count => {
            body.extend([1, u8::try_from(count - 2).expect("less than 8")]);
            body.extend(std::iter::repeat_n(0, count - 2));
        }
    }
    body
}

/// One header of the chain.
#[derive(Clone, Debug)]
pub struct Extension {
    number: u8,
    next: Option<u8>,
    /// What follows the octet that names the next header.
    body: Vec<u8>,
}

impl Extension {
    /// A header of this number; `body` starts with its length field.
    pub fn new(number: u8, body: Vec<u8>) -> Self {
        Self { number, next: None, body }
    }

    /// With this value in its length field.
    #[must_use]
    pub fn length(mut self, length: u8) -> Self {
        self.body[0] = length;
        self
    }

    /// With this number as the next header, whatever follows.
    #[must_use]
    pub fn next(self, next: u8) -> Self {
        Self { next: Some(next), ..self }
    }

    /// The number that the header before it names.
    pub fn number(&self) -> u8 {
        self.number
    }

    pub(super) fn bytes(&self, following: u8) -> Vec<u8> {
        let mut bytes = vec![self.next.unwrap_or(following)];
        bytes.extend(&self.body);
        bytes
    }
}

fn sized(number: u8, rest: Vec<u8>) -> Extension {
    let length = u8::try_from((rest.len() + 2) / 8 - 1).expect("an extension header has at most 2 KiB");
    let mut body = vec![length];
    body.extend(rest);
    Extension::new(number, body)
}

/// Hop-by-hop options.
pub fn hop_by_hop(options: &[u8]) -> Extension {
    sized(0, padded(options))
}

/// Hop-by-hop options with a router alert for MLD, as every MLD message has them.
pub fn router_alert() -> Extension {
    hop_by_hop(&[5, 2, 0, 0])
}

/// Destination options.
pub fn destination(options: &[u8]) -> Extension {
    sized(60, padded(options))
}

/// A routing header of any type, with room for one address.
pub fn routing(kind: u8, segments_left: u8) -> Extension {
    let mut rest = vec![kind, segments_left, 0, 0, 0, 0];
    rest.extend(crate::world::NEIGHBOUR.octets());
    sized(43, rest)
}

/// A fragment header. `offset` in bytes, a multiple of 8.
pub fn fragment(identification: u32, offset: usize, more: bool) -> Extension {
    let offset = u16::try_from(offset).expect("an offset has 16 bits");
    assert!(offset.is_multiple_of(8), "an offset counts in units of 8 bytes");
    let mut body = vec![0];
    body.extend((offset | u16::from(more)).to_be_bytes());
    body.extend(identification.to_be_bytes());
    Extension::new(44, body)
}

/// A fragment header that says: this is all there is.
pub fn atomic() -> Extension {
    fragment(0x00c0_ffee, 0, false)
}

/// An authentication header with a check value of `check` bytes.
pub fn authentication(check: usize) -> Extension {
    let length = u8::try_from((12 + check) / 4 - 2).expect("a check value is short");
    let mut body = vec![length, 0, 0];
    body.extend([0, 0, 0x10, 1, 0, 0, 0, 1]);
    body.extend(std::iter::repeat_n(0xa5, check));
    Extension::new(51, body)
}

/// A mobility header: no extension header to the guard, but it is built like one.
pub fn mobility() -> Extension {
    sized(135, vec![0; 6])
}

/// A shim6 header, likewise.
pub fn shim6() -> Extension {
    sized(140, vec![0x80, 0, 0, 0, 0, 0])
}
