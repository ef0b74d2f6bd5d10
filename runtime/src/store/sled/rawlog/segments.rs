//! The log's segments and the messages in them, as sled 0.34.7 writes them.
//!
//! A message names its segment's number, so its place in the log is known even where the segment's own header is broken.
//! Only a message whose checksum holds counts. It must not know what pages are.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use super::bytes::Reader;

/// Bytes of a segment: what the engine takes when nobody says otherwise.
pub(super) const SEGMENT: u64 = 512 << 10;
const HEADER: usize = 20;
/// No message begins in a segment's last bytes.
const RED_ZONE: usize = 32;
/// Bytes that are summed at most while the next message after a broken one is looked for in a segment.
const SEARCH_BYTES: u64 = 64 << 20;
/// More segments than this, 512 TiB of log, no store writes.
const MOST_SEGMENTS: u64 = 1 << 30;

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing: it was given up while it was written.
    Canceled,
    /// The rest of the segment is unused.
    Cap,
    /// The messages up to the place it names are one batch.
    Manifest,
    /// The page is gone.
    Free,
    /// A whole page that is not of a tree.
    Other,
    /// A whole node.
    Node,
    /// A change of the page.
    Link,
}

/// A message whose checksum holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message {
    pub kind: Kind,
    pub page: u64,
    /// Its place in the log.
    pub lsn: u64,
    pub body: Body,
    /// The place after it.
    end: u64,
}

/// Where a message's body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Body {
    /// In the file.
    at: u64,
    len: u32,
    /// It only names a file that holds it.
    elsewhere: Option<u8>,
}

/// Bytes of the log that cannot be read though something that was written later can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hole {
    /// Its places in the log.
    pub lsns: Range<u64>,
}

/// The data file and what lies beside it.
pub(super) struct Log {
    file: File,
    blobs: PathBuf,
    /// Numbers of segments, and where in the file each is.
    segments: BTreeMap<u64, Segment>,
    /// Every segment from here on is needed for what follows it.
    tail: u64,
}

#[derive(Debug, Clone, Copy)]
struct Segment {
    at: u64,
    /// Its header is broken.
    beheaded: bool,
}

/// What a walk came upon besides messages.
#[derive(Debug, Default)]
pub(super) struct Walk {
    pub holes: Vec<Hole>,
    /// The place after the last message.
    pub end: u64,
    /// The last batch: where it begins, and its last byte.
    pub last_batch: Option<(u64, u64)>,
    /// The last byte of the batch before that: all up to there was durable before the last one was begun.
    pub durable: Option<u64>,
    /// What no segment of the file has: it was written anew since, or the file was cut and it is lost.
    pub missing: Vec<Range<u64>>,
    /// The file ends within a segment that others follow: it was cut, and nobody knows what else was in it.
    pub cut_short: bool,
    /// The file ends within a segment, as it does while it grows.
    pub partial: bool,
}

impl Log {
    /// Finds the segments of the database in the engine's directory.
    pub(super) fn open(engine: &Path) -> io::Result<Self> {
        let file = File::open(engine.join("db"))?;
        let count = file.metadata()?.len().div_ceil(SEGMENT);
        let mut log = Self {
            file,
            blobs: engine.join("blobs"),
            segments: BTreeMap::new(),
            tail: 0,
        };
        let mut buffer = Vec::new();
        for index in 0..count {
            let at = index * SEGMENT;
            let mut header = [0; HEADER];
            let found = log
                .file
                .read_exact_at(&mut header, at)
                .ok()
                .and_then(|()| number(&header));
            let (number, beheaded) = match found {
                Some((number, stable)) => {
                    log.tail = log.tail.max(stable / SEGMENT);
                    (Some(number), false)
                }
                None => {
                    log.load(at, &mut buffer);
                    (guess_number(&buffer), true)
                }
            };
            let Some(number) = number else { continue };
            let sound = log.segments.get(&number).is_some_and(|other| !other.beheaded);
            if !(beheaded && sound) {
                log.segments.insert(number, Segment { at, beheaded });
            }
        }
        Ok(log)
    }

    /// Leaves out the segments that end before this place.
    pub(super) fn skip_to(&mut self, lsn: u64) {
        self.segments = self.segments.split_off(&(lsn / SEGMENT));
    }

    /// Hands each message to `each`, in the order they were written in, up to the place `cut`.
    pub(super) fn walk(&self, cut: Option<u64>, mut each: impl FnMut(&Message, &[u8])) -> Walk {
        let mut walk = Walk::default();
        let mut buffer = Vec::new();
        let mut expected = None;
        for (&number, segment) in &self.segments {
            let base = number * SEGMENT;
            if let Some(expected) = expected.filter(|expected| *expected < number) {
                let lsns = expected * SEGMENT..base;
                if expected >= self.tail {
                    walk.holes.push(Hole { lsns: lsns.clone() });
                }
                walk.missing.push(lsns);
            }
            expected = Some(number + 1);
            if segment.beheaded {
                walk.holes.push(Hole {
                    lsns: base..base + HEADER as u64,
                });
            }
            self.load(segment.at, &mut buffer);
            let last = self.segments.keys().next_back() == Some(&number);
            if buffer.len() < SEGMENT as usize - RED_ZONE {
                walk.partial = true;
                walk.cut_short = !last;
                walk.missing.push(base + buffer.len() as u64..base + SEGMENT);
            }
            walk_segment(&buffer, number, segment.at, &mut walk, |message, body| {
                if cut.is_none_or(|cut| message.lsn < cut) {
                    each(message, body);
                }
            });
        }
        // What nothing follows is not a hole but the end.
        let end = walk.end;
        walk.holes.retain(|hole| hole.lsns.end < end);
        walk
    }

    /// Reads a body.
    pub(super) fn body(&self, body: Body) -> io::Result<Vec<u8>> {
        // A body is never longer than a segment.
        let mut bytes = vec![0; usize::try_from(body.len).unwrap_or(0)];
        self.file.read_exact_at(&mut bytes, body.at)?;
        self.resolve(body, bytes)
    }

    /// The body itself, given what lies in the log.
    pub(super) fn resolve(&self, body: Body, bytes: Vec<u8>) -> io::Result<Vec<u8>> {
        let Some(kind) = body.elsewhere else {
            return Ok(bytes);
        };
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "a page's own file is damaged");
        let name: [u8; 8] = bytes.as_slice().try_into().map_err(|_| damaged())?;
        let name = i64::from_le_bytes(name).to_string();
        let mut content = std::fs::read(self.blobs.join(name))?;
        let (sum, rest) = content.split_first_chunk().ok_or_else(damaged)?;
        if rest.first() != Some(&kind) || crc32fast::hash(rest) != u32::from_le_bytes(*sum) {
            return Err(damaged());
        }
        Ok(content.split_off(5))
    }

    /// A segment's bytes, as many as can be read.
    fn load(&self, at: u64, buffer: &mut Vec<u8>) {
        buffer.resize(SEGMENT as usize, 0);
        let mut read = 0;
        while read < buffer.len() {
            match self.file.read_at(&mut buffer[read..], at + read as u64) {
                Ok(0) => break,
                Ok(more) => read += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    // A sector that the disk does not give: what follows it may be read.
                    let skipped = (read / 4096 + 1) * 4096;
                    let to = skipped.min(buffer.len());
                    buffer[read..to].fill(0);
                    read = to;
                }
            }
        }
        buffer.truncate(read);
    }
}

/// A segment's number and the place up to which the log was durable when it was begun, where its header is sound.
fn number(header: &[u8; HEADER]) -> Option<(u64, u64)> {
    let (sum, rest) = header.split_first_chunk()?;
    if crc32fast::hash(rest) != u32::from_le_bytes(*sum) ^ u32::MAX {
        return None;
    }
    let (lsn, stable) = rest.split_first_chunk()?;
    let plain = |bytes: [u8; 8]| i64::from_le_bytes(bytes) ^ i64::MAX;
    let lsn = u64::try_from(plain(*lsn)).ok()?;
    // Nothing is durable before the first segment: -1.
    let stable = u64::try_from(plain(stable.try_into().ok()?)).unwrap_or(0);
    (lsn.is_multiple_of(SEGMENT) && lsn / SEGMENT < MOST_SEGMENTS).then_some((lsn / SEGMENT, stable))
}

/// What the first message that can be read says of its segment's number.
fn guess_number(bytes: &[u8]) -> Option<u64> {
    let mut budget = SEARCH_BYTES;
    (HEADER..starts_end(bytes)).find_map(|at| parse(bytes, at, None, &mut budget).map(|found| found.number))
}

/// Where no message can begin any more.
fn starts_end(bytes: &[u8]) -> usize {
    bytes.len().min(SEGMENT as usize - RED_ZONE + 1)
}

fn walk_segment(
    bytes: &[u8],
    number: u64,
    file_at: u64,
    walk: &mut Walk,
    mut each: impl FnMut(&Message, &[u8]),
) {
    let base = number * SEGMENT;
    let mut budget = SEARCH_BYTES;
    let mut at = HEADER;
    while at < starts_end(bytes) {
        let Some(found) = parse(bytes, at, Some(number), &mut budget) else {
            let next =
                (at + 1..starts_end(bytes)).find(|at| parse(bytes, *at, Some(number), &mut budget).is_some());
            // Zeros up to the end are what the engine leaves where it went on in another segment.
            if next.is_some() || bytes[at..].iter().any(|byte| *byte != 0) {
                walk.holes.push(Hole {
                    lsns: base + at as u64..base + next.unwrap_or(SEGMENT as usize - 1) as u64,
                });
            }
            match next {
                Some(next) => at = next,
                None => return,
            }
            continue;
        };
        let message = Message {
            kind: found.kind,
            page: found.page,
            lsn: base + at as u64,
            body: Body {
                at: file_at + found.body.start as u64,
                len: u32::try_from(found.body.len()).unwrap_or(0),
                elsewhere: found.elsewhere,
            },
            end: base + found.body.end as u64,
        };
        walk.end = message.end;
        if message.kind == Kind::Cap {
            return;
        }
        let body = &bytes[found.body.clone()];
        if message.kind == Kind::Manifest
            && let Ok(last) = body.try_into()
            && let Ok(last) = u64::try_from(i64::from_le_bytes(last))
        {
            walk.durable = walk.last_batch.map(|(_, last)| last);
            walk.last_batch = Some((message.lsn, last));
        }
        each(&message, body);
        at = found.body.end;
    }
}

struct Parsed {
    kind: Kind,
    number: u64,
    page: u64,
    body: Range<usize>,
    elsewhere: Option<u8>,
}

/// The message that begins here, of this segment. `budget`: bytes that may be summed.
fn parse(bytes: &[u8], at: usize, number: Option<u64>, budget: &mut u64) -> Option<Parsed> {
    let tag = *bytes.get(at + 4)?;
    let kind = match tag {
        1 => Kind::Canceled,
        2 => Kind::Cap,
        3 => Kind::Manifest,
        4 => Kind::Free,
        5..=7 => Kind::Other,
        8 | 9 => Kind::Node,
        10 | 11 => Kind::Link,
        _ => return None,
    };
    let mut header = Reader(&bytes[at + 5..]);
    let len = usize::try_from(header.varint()?).ok()?;
    let named = header.varint()?;
    if named >= MOST_SEGMENTS || number.is_some_and(|number| number != named) {
        return None;
    }
    let page = header.varint()?;
    let start = bytes.len() - header.0.len();
    let body = start..start.checked_add(len).filter(|end| *end <= bytes.len())?;
    *budget = budget.checked_sub(body.len() as u64)?;
    let mut sum = crc32fast::Hasher::new();
    sum.update(&bytes[body.clone()]);
    sum.update(&bytes[at + 4..start]);
    let expected: [u8; 4] = bytes[at..at + 4].try_into().ok()?;
    (sum.finalize() ^ u32::MAX == u32::from_le_bytes(expected)).then_some(Parsed {
        kind,
        number: named,
        page,
        body,
        elsewhere: matches!(tag, 7 | 9 | 11).then_some(tag),
    })
}
