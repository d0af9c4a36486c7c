//! Walks the compressed data of a JPEG to its end without making pixels of them.
//!
//! Decoders fill what is missing with grey and go on. Whether all is there is decided here: every block of every scan
//! has to be there, made of codes that exist, and nothing may be left over before the marker that follows.

use std::io::{Read, Seek};

use super::bytes::{CUT, FileBytes, Trouble};

/// Bytes that some encoders leave between a scan and the next marker.
const SLACK: u64 = 16;

const BROKEN: Trouble = Trouble::Damaged("a part of its picture data is broken or missing");

/// A Huffman code: length and symbol by the next 16 bits; length 0 where no code begins like that.
pub struct Table(Vec<[u8; 2]>);

impl Table {
    /// From the numbers of codes of 1 to 16 bits, and their symbols.
    pub fn new(counts: &[u8; 16], symbols: &[u8]) -> Result<Self, Trouble> {
        let mut lookup = vec![[0, 0]; 1 << 16];
        let (mut at, mut symbols) = (0, symbols.iter());
        for (length, &count) in (1..).zip(counts) {
            let span = 1 << (16 - length);
            for &symbol in symbols.by_ref().take(usize::from(count)) {
                let entries = lookup.get_mut(at..at + span).ok_or(BROKEN)?;
                entries.fill([length, symbol]);
                at += span;
            }
        }
        Ok(Self(lookup))
    }
}

/// A component of the picture, such as its lightness.
pub struct Component {
    pub id: u8,
    /// Blocks across and down in one unit of an interleaved scan.
    pub sampling: [usize; 2],
    /// Blocks across and down that show something.
    blocks: [usize; 2],
    /// Blocks across with those that fill the last unit.
    stride: usize,
    /// A bit for every coefficient that is not zero yet, per block; only kept in progressive pictures.
    known: Vec<u64>,
    /// How many low bits of every coefficient are still to come; 255 before the first scan of it.
    pending: [u8; 64],
}

/// The frame: sizes, and what has come so far.
pub struct Frame {
    pub progressive: bool,
    pub components: Vec<Component>,
    units: [usize; 2],
}

/// What one scan holds.
pub struct Scan {
    /// Indices of components, each with the numbers of its tables for the first and the other coefficients.
    pub parts: Vec<(usize, [usize; 2])>,
    /// First and last coefficient.
    pub band: [usize; 2],
    /// Low bits left out by earlier scans of these coefficients, and by this one.
    pub bits: [u8; 2],
}

impl Frame {
    pub fn new(size: [usize; 2], progressive: bool, parts: &[(u8, [usize; 2])]) -> Self {
        let largest = [0, 1].map(|axis| parts.iter().map(|(_, s)| s[axis]).max().unwrap_or(1));
        let units = [0, 1].map(|axis| size[axis].div_ceil(8 * largest[axis]));
        let component = |&(id, sampling): &(u8, [usize; 2])| {
            let blocks =
                [0, 1].map(|axis| (size[axis] * sampling[axis]).div_ceil(8 * largest[axis]));
            let stride = units[0] * sampling[0];
            let rows = if progressive {
                units[1] * sampling[1]
            } else {
                0
            };
            Component {
                id,
                sampling,
                blocks,
                stride,
                known: vec![0; stride * rows],
                pending: [255; 64],
            }
        };
        Self {
            progressive,
            components: parts.iter().map(component).collect(),
            units,
        }
    }

    /// Whether every coefficient has come with all of its bits.
    pub fn is_complete(&self) -> bool {
        self.components.iter().all(|c| c.pending == [0; 64])
    }

    /// Whether there is at least something of every component.
    pub fn is_begun(&self) -> bool {
        let needed = if self.progressive { 1 } else { 64 };
        let begun = |c: &Component| c.pending[..needed].iter().all(|&bits| bits < 16);
        self.components.iter().all(begun)
    }

    /// Walks through one scan, and returns the marker behind it; `None` at the end of the file.
    pub fn walk<R: Read + Seek>(
        &mut self,
        scan: &Scan,
        tables: &[[Option<Table>; 4]; 2],
        restart: usize,
        bytes: &mut FileBytes<R>,
    ) -> Result<Option<u8>, Trouble> {
        let [first, last] = scan.band;
        let sane = first <= last && last < 64 && (first == 0 || scan.parts.len() == 1);
        let whole = first == 0 && last == 63 && scan.bits == [0, 0];
        if !sane || scan.parts.is_empty() || (!self.progressive && !whole) {
            return Err(BROKEN);
        }
        // What one unit is made of: component, and blocks across and down.
        let (units, unit) = match scan.parts[..] {
            [(part, _)] => (self.components[part].blocks, vec![(0, [0, 0])]),
            _ => (self.units, self.interleaved(scan)),
        };
        let mut data = Data::new(bytes);
        let mut walker = Walker {
            progressive: self.progressive,
            band: scan.band,
            refining: scan.bits[0] > 0,
            ended_blocks: 0,
        };
        let alone = scan.parts.len() == 1;
        for index in 0..units[0] * units[1] {
            if restart > 0 && index > 0 && index.is_multiple_of(restart) {
                data.restart()?;
                walker.ended_blocks = 0;
            }
            let [x, y] = [index % units[0], index / units[0]];
            for &(part, [dx, dy]) in &unit {
                let (component, choice) = scan.parts[part];
                let component = &mut self.components[component];
                let scale = if alone { [1, 1] } else { component.sampling };
                let block = (y * scale[1] + dy) * component.stride + x * scale[0] + dx;
                let table = |class: usize| tables[class][choice[class]].as_ref();
                let mut unused = 0;
                let known = component.known.get_mut(block).unwrap_or(&mut unused);
                walker.block(&mut data, table, known)?;
            }
        }
        for &(component, _) in &scan.parts {
            for bits in &mut self.components[component].pending[first..=last] {
                *bits = scan.bits[1];
            }
        }
        data.finish()
    }

    fn interleaved(&self, scan: &Scan) -> Vec<(usize, [usize; 2])> {
        let mut unit = Vec::new();
        for (part, &(component, _)) in scan.parts.iter().enumerate() {
            let [across, down] = self.components[component].sampling;
            let blocks = (0..across * down).map(|i| (part, [i % across, i / across]));
            unit.extend(blocks);
        }
        unit
    }
}

/// State of a scan between blocks.
struct Walker {
    progressive: bool,
    band: [usize; 2],
    refining: bool,
    /// Further blocks that bring nothing.
    ended_blocks: u32,
}

impl Walker {
    fn block<'t, R: Read + Seek>(
        &mut self,
        data: &mut Data<'_, R>,
        table: impl Fn(usize) -> Option<&'t Table>,
        known: &mut u64,
    ) -> Result<(), Trouble> {
        let [mut first, last] = self.band;
        if first == 0 {
            if self.refining {
                data.skip(1)?;
            } else {
                let bits = data.symbol(table(0).ok_or(BROKEN)?)?;
                if bits > 16 {
                    return Err(BROKEN);
                }
                data.skip(u32::from(bits))?;
            }
            if self.progressive {
                return Ok(());
            }
            first = 1;
        }
        let table = table(1).ok_or(BROKEN)?;
        if self.refining {
            self.refine(data, table, known, first, last)
        } else {
            self.coefficients(data, table, known, first, last)
        }
    }

    /// Coefficients that come for the first time.
    fn coefficients<R: Read + Seek>(
        &mut self,
        data: &mut Data<'_, R>,
        table: &Table,
        known: &mut u64,
        first: usize,
        last: usize,
    ) -> Result<(), Trouble> {
        if self.ended_blocks > 0 {
            self.ended_blocks -= 1;
            return Ok(());
        }
        let mut at = first;
        while at <= last {
            let (zeros, bits) = data.run(table)?;
            match (zeros, bits) {
                (15, 0) => at += 16,
                (_, 0) => {
                    if self.progressive {
                        self.ended_blocks = (1 << zeros) - 1 + data.bits(zeros as u32)?;
                    }
                    return Ok(());
                }
                _ => {
                    at += zeros;
                    if at > last {
                        return Err(BROKEN);
                    }
                    data.skip(bits)?;
                    *known |= 1 << at;
                    at += 1;
                }
            }
        }
        Ok(())
    }

    /// One more bit of coefficients that came before, and some that come only now.
    fn refine<R: Read + Seek>(
        &mut self,
        data: &mut Data<'_, R>,
        table: &Table,
        known: &mut u64,
        first: usize,
        last: usize,
    ) -> Result<(), Trouble> {
        let mut at = first;
        while self.ended_blocks == 0 && at <= last {
            let (mut zeros, bits) = data.run(table)?;
            match (zeros, bits) {
                (15, 0) => {}
                (_, 0) => {
                    self.ended_blocks = (1 << zeros) + data.bits(zeros as u32)?;
                    break;
                }
                (_, 1) => data.skip(1)?,
                _ => return Err(BROKEN),
            }
            while at <= last {
                if *known >> at & 1 == 1 {
                    data.skip(1)?;
                } else if zeros == 0 {
                    break;
                } else {
                    zeros -= 1;
                }
                at += 1;
            }
            if bits == 1 {
                if at > last {
                    return Err(BROKEN);
                }
                *known |= 1 << at;
            }
            at += 1;
        }
        if self.ended_blocks > 0 {
            if at <= last {
                let band = (u64::MAX >> (63 - last)) & (u64::MAX << at);
                data.skip((*known & band).count_ones())?;
            }
            self.ended_blocks -= 1;
        }
        Ok(())
    }
}

/// The bits of a scan.
struct Data<'b, R> {
    bytes: &'b mut FileBytes<R>,
    /// The next bits, from the top.
    bits: u64,
    count: u32,
    /// What ended the bits: a marker, or the file.
    end: Option<Option<u8>>,
}

impl<'b, R: Read + Seek> Data<'b, R> {
    fn new(bytes: &'b mut FileBytes<R>) -> Self {
        Self {
            bytes,
            bits: 0,
            count: 0,
            end: None,
        }
    }

    /// The next byte of data; `None` from the marker on.
    #[inline]
    fn byte(&mut self) -> Result<Option<u8>, Trouble> {
        if self.end.is_some() {
            return Ok(None);
        }
        let byte = self.bytes.next()?;
        if byte.is_some_and(|byte| byte != 0xff) {
            return Ok(byte);
        }
        self.stuffed(byte)
    }

    /// Goes on after 0xFF, or at the end of the file.
    #[cold]
    fn stuffed(&mut self, mut byte: Option<u8>) -> Result<Option<u8>, Trouble> {
        while byte == Some(0xff) {
            byte = self.bytes.next()?;
            if byte == Some(0) {
                return Ok(Some(0xff));
            }
        }
        self.end = Some(byte);
        Ok(None)
    }

    fn fill(&mut self) -> Result<(), Trouble> {
        while self.count <= 56 {
            let Some(byte) = self.byte()? else { break };
            self.bits |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
        Ok(())
    }

    #[inline]
    fn skip(&mut self, mut count: u32) -> Result<(), Trouble> {
        // Corrections of a whole block may be more than are at hand at a time.
        while count > self.count {
            count -= self.count;
            (self.bits, self.count) = (0, 0);
            self.fill()?;
            if self.count == 0 {
                return Err(if self.end == Some(None) { CUT } else { BROKEN });
            }
        }
        self.bits = self.bits.checked_shl(count).unwrap_or(0);
        self.count -= count;
        Ok(())
    }

    /// A number of up to 16 bits.
    fn bits(&mut self, count: u32) -> Result<u32, Trouble> {
        if count == 0 {
            return Ok(0);
        }
        if self.count < count {
            self.fill()?;
        }
        let value = (self.bits >> (64 - count)) as u32;
        self.skip(count)?;
        Ok(value)
    }

    #[inline]
    fn symbol(&mut self, table: &Table) -> Result<u8, Trouble> {
        if self.count < 16 {
            self.fill()?;
        }
        let [length, symbol] = table.0[(self.bits >> 48) as usize];
        if length == 0 {
            return Err(if self.end == Some(None) { CUT } else { BROKEN });
        }
        self.skip(u32::from(length))?;
        Ok(symbol)
    }

    /// A number of zeros, and the bits of the coefficient behind them.
    #[inline]
    fn run(&mut self, table: &Table) -> Result<(usize, u32), Trouble> {
        let symbol = self.symbol(table)?;
        Ok((usize::from(symbol >> 4), u32::from(symbol & 15)))
    }

    /// Goes to the marker behind the data; `None` is the end of the file.
    fn finish(mut self) -> Result<Option<u8>, Trouble> {
        self.skip_to_marker()
    }

    fn skip_to_marker(&mut self) -> Result<Option<u8>, Trouble> {
        let mut extra = u64::from(self.count / 8);
        while self.byte()?.is_some() {
            extra += 1;
        }
        let marker = self.end.flatten();
        if extra > SLACK || (extra > 0 && marker.is_none()) {
            return Err(BROKEN);
        }
        Ok(marker)
    }

    /// Goes on behind a restart marker, which must come now.
    fn restart(&mut self) -> Result<(), Trouble> {
        match self.skip_to_marker()? {
            Some(0xd0..=0xd7) => {
                (self.bits, self.count, self.end) = (0, 0, None);
                Ok(())
            }
            None => Err(CUT),
            Some(_) => Err(BROKEN),
        }
    }
}
