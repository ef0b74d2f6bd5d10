//! How sled 0.34.7 writes numbers, nodes and their changes. Pure bytes: whatever they are, reading them ends in an answer.

/// Reads from the front of some bytes; what is read is taken away.
pub(super) struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// A number in one to nine bytes.
    pub(super) fn varint(&mut self) -> Option<u64> {
        let first = self.byte()?;
        match first {
            0..=240 => Some(u64::from(first)),
            241..=248 => Some(240 + 256 * (u64::from(first) - 241) + u64::from(self.byte()?)),
            249 => Some(2288 + 256 * u64::from(self.byte()?) + u64::from(self.byte()?)),
            250.. => {
                let (number, rest) = self.0.split_at_checked(usize::from(first) - 247)?;
                self.0 = rest;
                let mut bytes = [0; 8];
                bytes[..number.len()].copy_from_slice(number);
                Some(u64::from_le_bytes(bytes))
            }
        }
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.varint()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }
}

/// What a node says of itself.
pub(super) struct Head<'a> {
    /// It holds entries, not pages.
    pub leaf: bool,
    /// The first key that belongs to it.
    pub low: &'a [u8],
    /// The first key that does not any more; empty: all belong to it.
    pub high: &'a [u8],
    /// What all its keys begin with, left out in them.
    pub prefix: &'a [u8],
    count: u64,
    rest: Reader<'a>,
}

impl<'a> Head<'a> {
    pub(super) fn read(node: &'a [u8]) -> Option<Self> {
        let mut rest = Reader(node);
        let _next = rest.varint()?;
        let _merging_child = rest.varint()?;
        let _merging = rest.byte()?;
        let prefix = usize::from(rest.byte()?);
        let low = rest.bytes()?;
        let high = rest.bytes()?;
        let leaf = match rest.byte()? {
            0 => true,
            1 => false,
            _ => return None,
        };
        Some(Self {
            leaf,
            low,
            high,
            prefix: low.get(..prefix)?,
            count: rest.varint()?,
            rest,
        })
    }

    /// A leaf's entries, each key without the prefix.
    pub(super) fn entries(mut self) -> Option<Vec<(&'a [u8], &'a [u8])>> {
        // The count may lie: what is taken grows with what is there.
        let mut keys = Vec::new();
        for _ in 0..self.count {
            keys.push(self.rest.bytes()?);
        }
        keys.into_iter()
            .map(|key| Some((key, self.rest.bytes()?)))
            .collect()
    }
}

/// A change of a page.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Link<'a> {
    /// The entry's key, without the leaf's prefix, and its value.
    Set(&'a [u8], &'a [u8]),
    /// The entry is gone.
    Del(&'a [u8]),
    /// A step of a merge, which concerns no entry.
    Merge,
}

impl<'a> Link<'a> {
    pub(super) fn read(link: &'a [u8]) -> Option<Self> {
        let mut rest = Reader(link);
        match rest.byte()? {
            0 => Some(Self::Set(rest.bytes()?, rest.bytes()?)),
            1 => Some(Self::Del(rest.bytes()?)),
            2..=4 => Some(Self::Merge),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_the_engine_writes_them() {
        for (bytes, number) in [
            (&[0][..], 0),
            (&[240], 240),
            (&[241, 0], 240),
            (&[248, 255], 2287),
            (&[249, 0, 0], 2288),
            (&[249, 255, 255], 67823),
            (&[250, 0xF0, 0x08, 0x01], 67824),
            (&[251, 0, 0, 0, 1], 1 << 24),
            (&[255, 1, 2, 3, 4, 5, 6, 7, 8], 0x0807_0605_0403_0201),
        ] {
            let mut reader = Reader(bytes);
            assert_eq!((reader.varint(), reader.0.len()), (Some(number), 0), "{bytes:?}");
            for len in 0..bytes.len() {
                assert_eq!(Reader(&bytes[..len]).varint(), None);
            }
        }
    }

    #[test]
    fn lengths_and_counts_that_lie_are_no_node() {
        let node = [
            0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1,
        ];
        assert!(Head::read(&node).expect("a head").entries().is_none());
        let key = [0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 127];
        assert!(Head::read(&key).is_none());
        let prefix = [0, 0, 0, 9, 1, b'a', 0, 0, 0];
        assert!(Head::read(&prefix).is_none());
        assert_eq!(Link::read(&[0, 250, 1]), None);
        assert_eq!(Link::read(&[9]), None);
        assert_eq!(Link::read(&[3]), Some(Link::Merge));
    }
}
