//! A fuzzer's bytes as a row of choices: what has run out is zero.

/// The bytes that are left.
pub(crate) struct Choices<'a>(pub(crate) &'a [u8]);

impl<'a> Choices<'a> {
    pub(crate) const fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn u8(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or_default()
    }

    pub(crate) fn u16(&mut self) -> u16 {
        u16::from_be_bytes([self.u8(), self.u8()])
    }

    pub(crate) fn u32(&mut self) -> u32 {
        u32::from_be_bytes([self.u8(), self.u8(), self.u8(), self.u8()])
    }

    /// The next `count`, or as many as there are.
    pub(crate) fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// One of `options`, of which there is at least one.
    pub(crate) fn pick<T: Copy>(&mut self, options: &[T]) -> T {
        options[usize::from(self.u8()) % options.len()]
    }
}

/// Cuts `bytes` into pieces whose lengths go round `cuts`; 0 is the rest.
pub(crate) fn pieces<'b>(mut bytes: &'b [u8], cuts: &[u8]) -> Vec<&'b [u8]> {
    let mut pieces = Vec::new();
    let mut cut = 0;
    while !bytes.is_empty() {
        let length = cuts.get(cut % cuts.len().max(1)).map_or(0, |length| usize::from(*length));
        cut += 1;
        let length = if length == 0 { bytes.len() } else { length.min(bytes.len()) };
        let (piece, rest) = bytes.split_at(length);
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}

/// Whether the two differ in one byte alone, and there by this bit and others.
pub(crate) fn is_bit_flipped(one: &[u8], other: &[u8], bit: u8) -> bool {
    let mut changes = one.iter().zip(other).map(|(one, other)| one ^ other).filter(|change| *change != 0);
    one.len() == other.len() && changes.next().is_some_and(|change| change & bit != 0) && changes.next().is_none()
}
