//! Every reader on 20,000 mutations of small inputs: no panic, no more memory than it states, and nothing impossible is
//! accepted.
//!
//! The number of a mutation determines its bytes. A failure prints it and keeps the bytes in a file; to run one alone:
//! `MUTATION=1234 cargo test --release --test mutations pickle`.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    env, fs, panic,
    path::Path,
    thread,
};

#[path = "fuzz/readers.rs"]
mod readers;

use readers::{Reader, dictionary, tensor, text};

/// Mutations of each reader's inputs.
const COUNT: u64 = 20_000;
/// Longest mutated input, unless the seed is longer.
const LONGEST: usize = 16 << 10;

/// Numbers in digits that are put in place of others.
const NUMBERS: [&str; 12] = [
    "0",
    "1",
    "-1",
    "3",
    "65536",
    "2147483648",
    "4294967295",
    "18446744073709551615",
    "99999999999999999999",
    "1e30",
    "0.5",
    "1e999",
];

thread_local! {
    /// Bytes that this thread has allocated and not freed, and the most of them since the last reset.
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

/// The system's allocator, counting per thread.
struct Counting;

fn count(bytes: isize) {
    let live = LIVE.get() + bytes;
    LIVE.set(live);
    PEAK.set(PEAK.get().max(live));
}

// SAFETY: every call goes to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: as the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }

    /// Both blocks are there for a moment.
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize);
        count(-(layout.size() as isize));
        // SAFETY: as the caller promises.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Most bytes that `work` has in memory at once.
fn peak(work: impl FnOnce()) -> usize {
    let before = LIVE.get();
    PEAK.set(before);
    work();
    usize::try_from(PEAK.get() - before).unwrap_or_default()
}

/// A small generator of numbers (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// One of `0..end`, or 0.
    fn below(&mut self, end: usize) -> usize {
        (self.next() >> 16) as usize % end.max(1)
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// A part of so many bytes; most parts are short.
    fn part(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.below(length + 1);
        let longest = self.one_of(&[1, 4, 16, 256, usize::MAX]);
        start..start + self.below((length - start).min(longest) + 1)
    }
}

/// The mutation of this number.
fn mutation(seeds: &[Vec<u8>], number: u64) -> Vec<u8> {
    let mut random = Random(number);
    let mut bytes = seeds[random.below(seeds.len())].clone();
    let longest = LONGEST.max(bytes.len());
    for _ in 0..=random.below(4) {
        let other = &seeds[random.below(seeds.len())];
        mutate(&mut random, &mut bytes, other);
        bytes.truncate(longest);
    }
    if random.below(2) == 0 {
        seal(&mut bytes);
    }
    bytes
}

fn mutate(random: &mut Random, bytes: &mut Vec<u8>, other: &[u8]) {
    let at = random.below(bytes.len());
    match random.below(9) {
        0 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
        1 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = random.one_of(&[0, 1, 0x7f, 0x80, 0xff, b'(', b'0', b'R', random.0 as u8]);
            }
        }
        2 => {
            // A number, such as a length: an extreme, or what is left of the file, or a little beside it.
            let length = bytes.len() as u64;
            let near = (length - at as u64)
                .wrapping_add(random.below(5) as u64)
                .wrapping_sub(2);
            let extremes = [
                0,
                1,
                255,
                65_535,
                1 << 31,
                u64::from(u32::MAX),
                i64::MAX as u64,
                u64::MAX,
            ];
            let number = match random.below(3) {
                0 => near,
                1 => length,
                _ => random.one_of(&extremes),
            };
            let width = random.one_of(&[1, 2, 4, 8]);
            let number = match random.below(2) {
                0 => number.to_le_bytes()[..width].to_vec(),
                _ => number.to_be_bytes()[8 - width..].to_vec(),
            };
            let end = bytes.len().min(at + width);
            bytes[at..end].copy_from_slice(&number[..end - at]);
        }
        3 => drop(bytes.drain(random.part(bytes.len()))),
        4 => bytes.truncate(at),
        5 => {
            let part = bytes[random.part(bytes.len())].to_vec();
            let times = random.one_of(&[1, 2, 3, 10, 1000]);
            let times = times.min(1 + LONGEST / part.len().max(1));
            let part = part.repeat(times);
            bytes.splice(at..at, part);
        }
        6 => {
            let part = other[random.part(other.len())].to_vec();
            let end = match random.below(2) {
                0 => at,
                _ => bytes.len().min(at + part.len()),
            };
            bytes.splice(at..end, part);
        }
        7 => {
            // A number in digits.
            let is_digit = |byte: &u8| byte.is_ascii_digit();
            if let Some(start) = bytes[at..].iter().position(is_digit) {
                let start = at + start;
                let digits = bytes[start..].iter().take_while(|byte| is_digit(byte));
                let end = start + digits.count();
                bytes.splice(start..end, random.one_of(&NUMBERS).bytes());
            }
        }
        _ => {
            // Something between quotes or lines, as something else there.
            let part = random.part(bytes.len());
            let moved = bytes[part].to_vec();
            let end = bytes.len().min(at + moved.len());
            bytes[at..end].copy_from_slice(&moved[..end - at]);
        }
    }
}

/// Renews the checksums of a PNG, without which a decoder looks at little.
fn seal(bytes: &mut [u8]) {
    if !bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        return;
    }
    let mut at = 8;
    while let Some(length) = bytes.get(at..at + 4) {
        let length = u32::from_be_bytes([length[0], length[1], length[2], length[3]]) as usize;
        let end = at + 8 + length;
        if end + 4 > bytes.len() {
            return;
        }
        let mut checksum = flate2::Crc::new();
        checksum.update(&bytes[at + 4..end]);
        bytes[end..end + 4].copy_from_slice(&checksum.sum().to_be_bytes());
        at = end + 4;
    }
}

/// Reads one input; the sentence of what went wrong, if something did.
fn problem(reader: &Reader, bytes: &[u8]) -> Option<String> {
    let mut outcome = Ok(());
    let taken = peak(|| outcome = panic::catch_unwind(|| (reader.read)(bytes)));
    let most = (reader.memory)(bytes);
    match outcome {
        Err(_) => Some("panics".to_owned()),
        Ok(()) if taken > most => Some(format!("takes {taken} bytes of memory; {most} are stated")),
        Ok(()) => None,
    }
}

/// Runs `work` on a thread of its own, on which Burn computes alone: memory is counted per thread.
fn alone(work: impl FnOnce() + Send + 'static) {
    let single = || {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(1)
            .use_current_thread();
        let _pool = pool.build().expect("a new thread is in no pool");
        work();
    };
    if let Err(panic) = thread::spawn(single).join() {
        panic::resume_unwind(panic);
    }
}

fn check(reader: &'static Reader) {
    alone(move || {
        let seeds = (reader.seeds)();
        for (index, seed) in seeds.iter().enumerate() {
            let problem = problem(reader, seed);
            assert_eq!(problem, None, "{}: seed {index}", reader.name);
        }
        let only = env::var("MUTATION")
            .ok()
            .and_then(|number| number.parse().ok());
        let numbers = only.map_or(0..COUNT, |number| number..number + 1);
        for number in numbers {
            let bytes = mutation(&seeds, number);
            let Some(problem) = problem(reader, &bytes) else {
                continue;
            };
            let file =
                Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{number}", reader.name));
            fs::write(&file, &bytes).expect("room for the input");
            panic!(
                "{} {problem}: run it alone with MUTATION={number}; its {} bytes are in {}",
                reader.name,
                bytes.len(),
                file.display()
            );
        }
    });
}

#[test]
fn pickle() {
    check(&readers::PICKLE_READER);
}

#[test]
fn torch() {
    check(&readers::TORCH);
}

#[test]
fn npy() {
    check(&readers::NPY);
}

#[test]
fn manifest() {
    check(&readers::MANIFEST);
}

#[test]
fn shard() {
    check(&readers::SHARD);
}

#[test]
fn face() {
    check(&readers::FACE);
}

#[test]
fn header() {
    check(&readers::HEADER);
}

#[test]
fn picture() {
    check(&readers::PICTURE);
}

#[test]
fn memory_is_counted_and_mutations_are_repeatable() {
    let names: Vec<_> = readers::READERS.iter().map(|reader| reader.name).collect();
    assert_eq!(names.len(), 8);
    assert!(peak(|| drop(vec![1_u8; 1 << 20])) >= 1 << 20);
    assert!(peak(|| drop(vec![1_u8; 1 << 10])) < 1 << 20);
    let seeds = [b"some bytes 123".to_vec(), b"others".to_vec()];
    let all = || {
        (0..200)
            .map(|number| mutation(&seeds, number))
            .collect::<Vec<_>>()
    };
    assert_eq!(all(), all());
    assert!(all().iter().filter(|bytes| !seeds.contains(bytes)).count() > 150);
}

/// Pickles below a megabyte that ask for far more.
#[test]
fn small_files_with_large_wishes_stay_small() {
    let get = |place: u8| vec![b'h', place];
    let put = |place: u8| vec![b'q', place];
    // A dictionary of many tensors and the head of a model, in fifteen dictionaries around one another, twice in each.
    let heads = "encoder.styles.0.linear.weight";
    let names: Vec<_> = (0..20_000).map(|index| format!("tensor {index}")).collect();
    let names = names.iter().map(String::as_str).chain([heads]);
    let entries: Vec<_> = names.map(|name| (name, get(0))).collect();
    let mut nested = [
        tensor("0", &[1; 8]),
        put(0),
        vec![b'0'],
        dictionary(&entries),
    ]
    .concat();
    for place in 1..16 {
        let both = [("a", get(place)), ("state_dict", get(place))];
        nested.extend([put(place), vec![b'0'], dictionary(&both)].concat());
    }
    // A dictionary that others are made of, over and over.
    let copies = b"h\x01h\0\x85R".repeat(30_000);
    let large = [&b"}("[..], &b"NN".repeat(50_000), b"uq\0"].concat();
    let copied = [&large[..], b"ccollections\nOrderedDict\nq\x01", &copies].concat();
    // The attributes of an object, likewise.
    let builds = b"h\0b".repeat(100_000);
    let attributes = [&large[..], b"cargparse\nNamespace\n)\x81", &builds].concat();
    // Tensors in a storage with a long name, made of the same pieces.
    let (key, storage) = ("k".repeat(128), b"X\x07\0\0\0storagectorch\nFloatStorage\n");
    let pieces = [
        &b"ctorch._utils\n_rebuild_tensor_v2\nq\0(("[..],
        storage,
        &text(&key),
    ]
    .concat();
    let pieces = [&pieces[..], b"X\x03\0\0\0cpuK\x10tQK\0))tq\x01R"].concat();
    let tensors = [&pieces[..], &b"h\0h\x01R".repeat(150_000)].concat();
    // Names that are put together from long texts.
    let long = text(&"n".repeat(300_000));
    let named = [&long[..], b"q\0", &b"h\0h\0\x93".repeat(100_000)].concat();
    let nothings = b"]".repeat(600_000);
    for (name, root) in [
        ("nested", nested),
        ("copied", copied),
        ("attributes", attributes),
        ("tensors", tensors),
        ("named", named),
        ("nothings", nothings),
    ] {
        let bytes = [b"\x80\x02", &root[..], b"."].concat();
        assert!(bytes.len() < 1_000_000, "{name} has {} bytes", bytes.len());
        alone(move || {
            for reader in [readers::PICKLE_READER, readers::TORCH] {
                assert_eq!(problem(&reader, &bytes), None, "{name}: {}", reader.name);
            }
        });
    }
}
