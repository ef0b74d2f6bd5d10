//! The bytes of an archive. All numbers are big-endian.
//!
//! ```text
//! magic        8 bytes
//! format       u32
//! made at      i64, milliseconds since 1970
//! store's row  u32 length, bytes (they begin with the store's format)
//! blocks       u32 length as it was, u32 length packed, bytes (LZ4); the last is a length of 0
//! entries      u64
//! checksum     SHA-256 of everything before it
//! ```
//!
//! The blocks, unpacked and one behind the other, are the entries in order of keys: u16 key length, u32 value length, key,
//! value. Lengths are believed only within bounds, and memory is taken as bytes arrive. It must not know files or stores.

use std::io::{ErrorKind, Read, Write};

use lz4_flex::block::{compress_into, decompress_into, get_maximum_output_size};
use selaras_core::stamp::Millis;
use sha2::{Digest, Sha256};

use super::{
    super::{MAX_KEY_BYTES, RESERVED},
    error::ArchiveError,
};

const MAGIC: [u8; 8] = *b"SELARASB";
/// The format this program writes, and the newest it reads.
const FORMAT: u32 = 1;
/// Bytes that are packed together.
const BLOCK_BYTES: usize = 256 << 10;
/// Longest row of the store's own: numbers, counts and a name.
const MAX_META_BYTES: usize = 4096;
/// Longest value: a conflict keeps some documents of at most 4 MiB each.
const MAX_VALUE_BYTES: u32 = 256 << 20;
/// The two lengths before a block.
const BLOCK_HEAD: usize = 8;

/// Writes an archive.
pub(super) struct Packer<W> {
    out: W,
    hash: Sha256,
    bytes: u64,
    entries: u64,
    block: Vec<u8>,
    packed: Vec<u8>,
}

impl<W: Write> Packer<W> {
    pub(super) fn new(out: W) -> Self {
        Self {
            out,
            hash: Sha256::new(),
            bytes: 0,
            entries: 0,
            block: Vec::with_capacity(BLOCK_BYTES),
            packed: vec![0; BLOCK_HEAD + get_maximum_output_size(BLOCK_BYTES)],
        }
    }

    /// First.
    pub(super) fn header(&mut self, made_at: Millis, meta: &[u8]) -> Result<(), ArchiveError> {
        let len = u32::try_from(meta.len()).unwrap_or(u32::MAX);
        let mut header = Vec::with_capacity(24 + meta.len());
        header.extend_from_slice(&MAGIC);
        header.extend_from_slice(&FORMAT.to_be_bytes());
        header.extend_from_slice(&made_at.0.to_be_bytes());
        header.extend_from_slice(&len.to_be_bytes());
        header.extend_from_slice(meta);
        self.hash.update(&header);
        self.bytes += header.len() as u64;
        self.out.write_all(&header).map_err(ArchiveError::Write)
    }

    /// Then each entry, in order of keys.
    pub(super) fn entry(&mut self, key: &[u8], value: &[u8]) -> Result<(), ArchiveError> {
        let value_len = u32::try_from(value.len())
            .ok()
            .filter(|len| *len <= MAX_VALUE_BYTES)
            .ok_or_else(|| ArchiveError::damaged(format!("a value has {} bytes", value.len())))?;
        let key_len = u16::try_from(key.len())
            .map_err(|_| ArchiveError::damaged(format!("a key has {} bytes", key.len())))?;
        self.pack(&key_len.to_be_bytes())?;
        self.pack(&value_len.to_be_bytes())?;
        self.pack(key)?;
        self.pack(value)?;
        self.entries += 1;
        Ok(())
    }

    /// Last. Answers how many entries and bytes there are.
    pub(super) fn finish(mut self) -> Result<(u64, u64), ArchiveError> {
        if !self.block.is_empty() {
            self.write_block()?;
        }
        let mut end = 0_u32.to_be_bytes().to_vec();
        end.extend_from_slice(&self.entries.to_be_bytes());
        self.hash.update(&end);
        end.extend_from_slice(&self.hash.finalize());
        self.bytes += end.len() as u64;
        self.out.write_all(&end).map_err(ArchiveError::Write)?;
        self.out.flush().map_err(ArchiveError::Write)?;
        Ok((self.entries, self.bytes))
    }

    fn pack(&mut self, mut bytes: &[u8]) -> Result<(), ArchiveError> {
        while !bytes.is_empty() {
            let room = (BLOCK_BYTES - self.block.len()).min(bytes.len());
            let (now, later) = bytes.split_at(room);
            self.block.extend_from_slice(now);
            bytes = later;
            if self.block.len() == BLOCK_BYTES {
                self.write_block()?;
            }
        }
        Ok(())
    }

    fn write_block(&mut self) -> Result<(), ArchiveError> {
        let packed = compress_into(&self.block, &mut self.packed[BLOCK_HEAD..])
            .expect("invariant: there is room for the longest outcome");
        for (at, len) in [(0, self.block.len()), (4, packed)] {
            let len = u32::try_from(len).expect("invariant: a block is small");
            self.packed[at..at + 4].copy_from_slice(&len.to_be_bytes());
        }
        let block = &self.packed[..BLOCK_HEAD + packed];
        self.hash.update(block);
        self.bytes += block.len() as u64;
        self.block.clear();
        self.out.write_all(block).map_err(ArchiveError::Write)
    }
}

/// Reads an archive.
pub(super) struct Unpacker<R> {
    input: R,
    hash: Sha256,
    bytes: u64,
    entries: u64,
    /// The block that is read from, and how far.
    block: Vec<u8>,
    at: usize,
    packed: Vec<u8>,
    /// The last block was read.
    ended: bool,
}

impl<R: Read> Unpacker<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            hash: Sha256::new(),
            bytes: 0,
            entries: 0,
            block: Vec::new(),
            at: 0,
            packed: Vec::new(),
            ended: false,
        }
    }

    /// First: when it was made, and the store's own row.
    pub(super) fn header(&mut self) -> Result<(Millis, Vec<u8>), ArchiveError> {
        match self.number() {
            Ok(magic) if u64::to_be_bytes(magic) == MAGIC => {}
            Ok(_) | Err(ArchiveError::Truncated) => return Err(ArchiveError::Foreign),
            Err(error) => return Err(error),
        }
        let format = self.length()?;
        if format == 0 {
            return Err(ArchiveError::damaged("it has format 0"));
        }
        // Before anything else: an older program must not guess what a newer one wrote.
        if format > FORMAT {
            return Err(ArchiveError::Newer {
                found: format,
                supported: FORMAT,
            });
        }
        let made_at = Millis(i64::from_be_bytes(self.number()?.to_be_bytes()));
        let len = self.length()? as usize;
        if len > MAX_META_BYTES {
            return Err(ArchiveError::damaged(format!("its first row has {len} bytes")));
        }
        let mut meta = vec![0; len];
        self.take(&mut meta)?;
        Ok((made_at, meta))
    }

    /// Then each entry, into `key` and `value`; false after the last.
    pub(super) fn entry(&mut self, key: &mut Vec<u8>, value: &mut Vec<u8>) -> Result<bool, ArchiveError> {
        if self.at == self.block.len() && !self.next_block()? {
            return Ok(false);
        }
        let (mut key_len, mut value_len) = ([0; 2], [0; 4]);
        self.unpack(&mut key_len)?;
        self.unpack(&mut value_len)?;
        let (key_len, value_len) = (
            usize::from(u16::from_be_bytes(key_len)),
            u32::from_be_bytes(value_len),
        );
        if value_len > MAX_VALUE_BYTES {
            return Err(ArchiveError::damaged(format!("a value has {value_len} bytes")));
        }
        let mut found = vec![0; key_len.min(MAX_KEY_BYTES + 1)];
        self.unpack(&mut found)?;
        let known = found.first().is_some_and(|first| *first < RESERVED) && found.len() <= MAX_KEY_BYTES;
        if !known {
            return Err(ArchiveError::damaged("a key is none of a store's"));
        }
        if self.entries > 0 && found <= *key {
            return Err(ArchiveError::damaged("its entries are out of order"));
        }
        *key = found;
        value.clear();
        let mut missing = value_len as usize;
        while missing > 0 {
            let piece = self.piece(missing)?;
            value.extend_from_slice(piece);
            missing -= piece.len();
        }
        self.entries += 1;
        Ok(true)
    }

    /// Last: whether all of it is as it was written, and nothing follows. Answers how many entries and bytes there are.
    pub(super) fn finish(mut self) -> Result<(u64, u64), ArchiveError> {
        let entries = self.number()?;
        let expected = self.hash.clone().finalize();
        let mut checksum = [0; 32];
        self.take(&mut checksum)?;
        if checksum[..] != expected[..] {
            return Err(ArchiveError::damaged("its checksum does not fit"));
        }
        if entries != self.entries {
            return Err(ArchiveError::damaged("its entries are not as many as it says"));
        }
        match self.input.read(&mut [0]) {
            Ok(0) => Ok((self.entries, self.bytes)),
            Ok(_) => Err(ArchiveError::damaged("something follows its end")),
            Err(error) => Err(ArchiveError::Read(error)),
        }
    }

    /// Bytes of entries that must be there.
    fn unpack(&mut self, into: &mut [u8]) -> Result<(), ArchiveError> {
        let mut filled = 0;
        while filled < into.len() {
            let piece = self.piece(into.len() - filled)?;
            into[filled..filled + piece.len()].copy_from_slice(piece);
            filled += piece.len();
        }
        Ok(())
    }

    /// 1 to `most` bytes of entries that must be there.
    fn piece(&mut self, most: usize) -> Result<&[u8], ArchiveError> {
        if self.at == self.block.len() && !self.next_block()? {
            return Err(ArchiveError::damaged("its last entry is cut off"));
        }
        let from = self.at;
        self.at = self.block.len().min(from + most);
        Ok(&self.block[from..self.at])
    }

    /// Reads the next block; false when there is none.
    fn next_block(&mut self) -> Result<bool, ArchiveError> {
        if self.ended {
            return Ok(false);
        }
        let len = self.length()? as usize;
        if len == 0 {
            self.ended = true;
            return Ok(false);
        }
        let packed = self.length()? as usize;
        if len > BLOCK_BYTES || packed > get_maximum_output_size(len) {
            return Err(ArchiveError::damaged("a block is longer than any"));
        }
        let mut bytes = std::mem::take(&mut self.packed);
        bytes.resize(packed, 0);
        let taken = self.take(&mut bytes);
        self.packed = bytes;
        taken?;
        self.block.resize(len, 0);
        self.at = 0;
        match decompress_into(&self.packed, &mut self.block) {
            Ok(found) if found == len => Ok(true),
            Ok(_) | Err(_) => Err(ArchiveError::damaged("a block cannot be unpacked")),
        }
    }

    fn length(&mut self) -> Result<u32, ArchiveError> {
        let mut bytes = [0; 4];
        self.take(&mut bytes)?;
        Ok(u32::from_be_bytes(bytes))
    }

    fn number(&mut self) -> Result<u64, ArchiveError> {
        let mut bytes = [0; 8];
        self.take(&mut bytes)?;
        Ok(u64::from_be_bytes(bytes))
    }

    /// Bytes of the file that must be there.
    fn take(&mut self, into: &mut [u8]) -> Result<(), ArchiveError> {
        self.input.read_exact(into).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => ArchiveError::Truncated,
            _ => ArchiveError::Read(error),
        })?;
        self.hash.update(&*into);
        self.bytes += into.len() as u64;
        Ok(())
    }
}
