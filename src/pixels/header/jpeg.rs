//! JPEG: segments, and the compressed data between them.

use std::io::{Read, Seek};

use super::{
    bytes::{CUT, FileBytes, Trouble},
    entropy::{Frame, Scan, Table},
    facts::Header,
};
use crate::pixels::{colour::Colours, kind::MediaKind};

/// Bytes without meaning that decoders step over between segments.
const SLACK: u64 = 16;
/// How far into a second picture behind the first its purpose is looked for.
const SECOND: u64 = 1 << 16;

const BROKEN: Trouble = Trouble::Damaged("its parts contradict each other");
const NO_PICTURE: Trouble = Trouble::Damaged("there is no picture in it");

/// Tables and facts that segments have set so far.
struct State {
    header: Header,
    frame: Option<Frame>,
    tables: [[Option<Table>; 4]; 2],
    restart: usize,
    /// Parts of the colour profile with their numbers.
    profile: Vec<(u8, Vec<u8>)>,
}

pub fn read<R: Read + Seek>(bytes: &mut FileBytes<R>) -> Result<Header, Trouble> {
    let mut state = State {
        header: Header::new(MediaKind::Jpeg),
        frame: None,
        tables: Default::default(),
        restart: 0,
        profile: Vec::new(),
    };
    bytes.skip(2)?;
    let mut next = marker(bytes)?;
    while let Some(code) = next {
        next = match code {
            0xd9 => break,
            0x01 | 0xd0..=0xd7 => marker(bytes)?,
            0xda => state.scan(bytes)?,
            _ => {
                state.segment(code, bytes)?;
                if state.header.unread.is_some() {
                    return Ok(state.finished());
                }
                marker(bytes)?
            }
        };
    }
    let frame = state.frame.as_ref().filter(|frame| frame.is_begun());
    let frame = frame.ok_or(if next.is_some() { NO_PICTURE } else { CUT })?;
    if next.is_none() {
        if !frame.is_complete() {
            return Err(CUT);
        }
        state.header.tail = &[0xff, 0xd9];
    }
    // Cameras put a second picture behind the first, whose use its own header says.
    if bytes.left() > 0 && !state.header.gain_map {
        let second = bytes.take_up_to(SECOND)?;
        state.header.gain_map = second.starts_with(&[0xff, 0xd8]) && is_gain_map(&second);
    }
    Ok(state.finished())
}

/// The next marker; `None` at the end of the file.
fn marker<R: Read + Seek>(bytes: &mut FileBytes<R>) -> Result<Option<u8>, Trouble> {
    let mut skipped = 0;
    loop {
        match bytes.next()? {
            None => return Ok(None),
            Some(0xff) => loop {
                match bytes.next()? {
                    None => return Ok(None),
                    Some(0xff) => {}
                    Some(0) => break,
                    code => return Ok(code),
                }
            },
            Some(_) => {}
        }
        skipped += 1;
        if skipped > SLACK {
            return Err(BROKEN);
        }
    }
}

/// Whether a segment or a picture says that it brightens another.
fn is_gain_map(text: &[u8]) -> bool {
    let names: [&[u8]; 2] = [b"hdr-gain-map/1.0", b"aux:hdrgainmap"];
    let found = |name: &&[u8]| text.windows(name.len()).any(|part| part == *name);
    names.iter().any(found)
}

impl State {
    fn segment<R: Read + Seek>(
        &mut self,
        code: u8,
        bytes: &mut FileBytes<R>,
    ) -> Result<(), Trouble> {
        let length = u64::from(bytes.u16_be()?.checked_sub(2).ok_or(BROKEN)?);
        let position = bytes.position();
        let wanted = matches!(code, 0xc0..=0xcf | 0xdd | 0xe1 | 0xe2);
        if !wanted {
            return bytes.skip(length);
        }
        let body = bytes.take(length)?;
        match code {
            0xc4 => self.huffman(&body),
            0xcc => Ok(()),
            0xdd => {
                let interval = body.first_chunk().ok_or(BROKEN)?;
                self.restart = usize::from(u16::from_be_bytes(*interval));
                Ok(())
            }
            0xe1 => {
                if body.starts_with(b"Exif\0\0") {
                    let patch = self.header.turn(&body, position);
                    self.header.patches.extend(patch);
                } else if body.starts_with(b"http://ns.adobe.com/x") {
                    self.header.gain_map |= is_gain_map(&body);
                }
                Ok(())
            }
            0xe2 => {
                if let Some(part) = body.strip_prefix(b"ICC_PROFILE\0") {
                    if let [number, _, data @ ..] = part {
                        self.profile.push((*number, data.to_vec()));
                    }
                } else {
                    self.header.gain_map |= body.starts_with(b"urn:iso:std:iso:ts:21496:-1\0");
                }
                Ok(())
            }
            _ => self.start_of_frame(code, &body),
        }
    }

    fn huffman(&mut self, mut body: &[u8]) -> Result<(), Trouble> {
        while let Some((&[choice], rest)) = body.split_first_chunk() {
            let (counts, rest) = rest.split_first_chunk::<16>().ok_or(BROKEN)?;
            let total = counts.iter().map(|&count| usize::from(count)).sum();
            let (symbols, rest) = rest.split_at_checked(total).ok_or(BROKEN)?;
            let (class, number) = (usize::from(choice >> 4), usize::from(choice & 15));
            let table = self.tables.get_mut(class).and_then(|t| t.get_mut(number));
            *table.ok_or(BROKEN)? = Some(Table::new(counts, symbols)?);
            body = rest;
        }
        Ok(())
    }

    fn start_of_frame(&mut self, code: u8, body: &[u8]) -> Result<(), Trouble> {
        let (&[depth, h1, h0, w1, w0, count], parts) = body.split_first_chunk().ok_or(BROKEN)?;
        let (width, height) = (u16::from_be_bytes([w1, w0]), u16::from_be_bytes([h1, h0]));
        if self.frame.is_some() || parts.len() != 3 * usize::from(count) {
            return Err(BROKEN);
        }
        if height == 0 && width > 0 {
            self.header.unread = Some("JPEG pictures that tell their height last");
            return Ok(());
        }
        self.header.grow(width.into(), height.into())?;
        self.header.depth = depth;
        self.header.grey = count == 1;
        self.header.inks = count == 4;
        self.header.unread = match code {
            0xc9 | 0xca | 0xcb | 0xcd..=0xcf => Some("JPEG pictures with arithmetic coding"),
            0xc3 | 0xc5..=0xc8 => Some("lossless and hierarchical JPEG pictures"),
            _ if depth != 8 => Some("JPEG pictures of more than 8 bits"),
            _ if !matches!(count, 1 | 3 | 4) => Some("JPEG pictures of two or many channels"),
            _ => None,
        };
        if self.header.unread.is_some() {
            return Ok(());
        }
        let parts: Vec<_> = parts
            .chunks_exact(3)
            .map(|part| (part[0], [part[1] >> 4, part[1] & 15].map(usize::from)))
            .collect();
        let sane = |&(_, sampling): &(u8, [usize; 2])| sampling.iter().all(|n| (1..=4).contains(n));
        if !parts.iter().all(sane) {
            return Err(BROKEN);
        }
        let size = [width, height].map(usize::from);
        self.frame = Some(Frame::new(size, code == 0xc2, &parts));
        Ok(())
    }

    /// A scan: its header, and the data behind it. Returns the marker that ends it.
    fn scan<R: Read + Seek>(&mut self, bytes: &mut FileBytes<R>) -> Result<Option<u8>, Trouble> {
        let length = bytes.u16_be()?.checked_sub(2).ok_or(BROKEN)?;
        let body = bytes.take(length.into())?;
        let frame = self.frame.as_mut().ok_or(BROKEN)?;
        let (&count, rest) = body.split_first().ok_or(BROKEN)?;
        let (parts, rest) = rest
            .split_at_checked(2 * usize::from(count))
            .ok_or(BROKEN)?;
        let &[first, last, bits] = rest.first_chunk().ok_or(BROKEN)?;
        let part = |part: &[u8]| {
            let index = frame.components.iter().position(|c| c.id == part[0])?;
            let tables = [part[1] >> 4, part[1] & 15].map(usize::from);
            (tables[0] < 4 && tables[1] < 4).then_some((index, tables))
        };
        let parts: Option<Vec<_>> = parts.chunks_exact(2).map(part).collect();
        let mut scan = Scan {
            parts: parts.ok_or(BROKEN)?,
            band: [first, last].map(usize::from),
            bits: [bits >> 4, bits & 15],
        };
        if !frame.progressive {
            // Decoders do not look at these there, and some encoders write nonsense.
            (scan.band, scan.bits) = ([0, 63], [0, 0]);
        }
        frame.walk(&scan, &self.tables, self.restart, bytes)
    }

    fn finished(mut self) -> Header {
        self.profile.sort_by_key(|(number, _)| *number);
        if !self.profile.is_empty() {
            let parts = self.profile.into_iter().flat_map(|(_, part)| part);
            self.header.colours = Colours::Profile(parts.collect());
        }
        self.header
    }
}
