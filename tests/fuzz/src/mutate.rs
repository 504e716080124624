//! Makes new inputs of known ones. Chance is repeatable: a seed gives the same inputs again.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Words of all the formats.
const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\n",
    "\t",
    " ",
    "0",
    "-1",
    "1e999",
    "NaN",
    "null",
    "true",
    "18446744073709551615",
    "\u{e000}",
    "\u{feff}",
    "\u{202e}",
    "\u{1b}[31m",
    "\\u0000",
    "\\ud800",
    "{\"v\":1,\"kind\":\"reports\",",
    "\"function\":\"arn:aws:lambda:eu-west-1:123456789012:function:f\",",
    "{\"functionName\":\"f\",\"records\":[",
    "{\"type\":\"platform.report\",",
    "\"metrics\":{",
    "\"memorySizeMB\":512,",
    "\"maxMemoryUsedMB\":90",
    "{\"logGroup\":\"/aws/lambda/f\",\"logEvents\":[",
    "{\"events\":[",
    "{\"results\":[[",
    "{\"field\":\"@message\",\"value\":",
    "{\"awslogs\":{\"data\":\"",
    "{\"Records\":[{\"kinesis\":{\"data\":\"",
    "H4sI",
    "REPORT RequestId: 1\t",
    "Duration: 1 ms\t",
    "Memory Size: 128 MB\t",
    "Max Memory Used: 90 MB\t",
    "@timestamp,@message,@log\n",
    "{\"line\":\"",
    "2026-01-31T00:00:00Z ",
    "2026/01/31/[$LATEST]00aa ",
    "&a ",
    "*a",
    "!!binary ",
    "<<: ",
    "- ",
    "|\n  ",
    "Resources:\n",
    "MemorySize: ",
    "resource \"aws_lambda_function\" \"f\" {\n",
    "memory_size = ",
    "<<EOT\n",
    "[policy]\n",
    "buffer_mb = ",
    "'''",
    "#",
];

/// The largest input that is made.
const MOST: usize = 1 << 20;

/// A repeatable source of chance (xorshift64*).
#[derive(Debug)]
pub struct Chance(u64);

impl Chance {
    /// Begins at `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `most`; 0 if that is 0.
    pub fn below(&mut self, most: usize) -> usize {
        let most = u64::try_from(most).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next() % most).unwrap_or(0)
    }
}

/// Makes an input of `corpus`.
pub(crate) fn mutated(corpus: &[Vec<u8>], chance: &mut Chance) -> Vec<u8> {
    let pick = |chance: &mut Chance| corpus.get(chance.below(corpus.len())).cloned();
    let mut input = pick(chance).unwrap_or_default();
    for _ in 0..=chance.below(6) {
        match chance.below(11) {
            0 | 1 => flip(&mut input, chance),
            2 => cut(&mut input, chance),
            3 => {
                let other = pick(chance).unwrap_or_default();
                splice(&mut input, &other, chance);
            }
            4..=6 => insert_word(&mut input, chance),
            7 => repeat(&mut input, chance),
            8 => number(&mut input, chance),
            9 if chance.below(3) == 0 => input = packed(&input, chance),
            _ => swap(&mut input, chance),
        }
        input.truncate(MOST);
    }
    input
}

fn range(input: &[u8], chance: &mut Chance) -> (usize, usize) {
    let (a, b) = (chance.below(input.len() + 1), chance.below(input.len() + 1));
    (a.min(b), a.max(b))
}

fn flip(input: &mut [u8], chance: &mut Chance) {
    let at = chance.below(input.len());
    if let Some(byte) = input.get_mut(at) {
        *byte ^= 1 << chance.below(8);
    }
}

fn cut(input: &mut Vec<u8>, chance: &mut Chance) {
    let (from, to) = range(input, chance);
    if chance.below(2) == 0 {
        input.truncate(to);
    } else {
        input.drain(from..to);
    }
}

fn splice(input: &mut Vec<u8>, other: &[u8], chance: &mut Chance) {
    let (from, to) = range(other, chance);
    let at = chance.below(input.len() + 1);
    input.splice(at..at, other[from..to].iter().copied());
}

fn insert_word(input: &mut Vec<u8>, chance: &mut Chance) {
    let word = WORDS[chance.below(WORDS.len())].as_bytes();
    let at = chance.below(input.len() + 1);
    input.splice(at..at, word.iter().copied());
}

/// Repeats a part up to a million times.
fn repeat(input: &mut Vec<u8>, chance: &mut Chance) {
    let from = chance.below(input.len() + 1);
    let to = (from + 1 + chance.below(64)).min(input.len());
    let times = 1 << chance.below(20);
    let part = input.get(from..to).unwrap_or_default();
    let times = (times).min(MOST / part.len().max(1));
    let repeated = part.repeat(times);
    input.splice(from..from, repeated);
}

/// Replaces a number.
fn number(input: &mut Vec<u8>, chance: &mut Chance) {
    let begin = chance.below(input.len() + 1);
    let Some(at) = input[begin..].iter().position(u8::is_ascii_digit) else {
        return;
    };
    let from = begin + at;
    let digits = input[from..]
        .iter()
        .take_while(|b| b.is_ascii_digit())
        .count();
    let numbers = [
        "0",
        "-1",
        "1",
        "65536",
        "1000000000001",
        "18446744073709551616",
        "1e400",
        "0.5",
    ];
    let other = numbers[chance.below(numbers.len())].bytes();
    input.splice(from..from + digits, other);
}

fn swap(input: &mut [u8], chance: &mut Chance) {
    let (from, to) = range(input, chance);
    input[from..to].reverse();
    if chance.below(2) == 0 {
        let middle = from + (to - from) / 2;
        input[from..middle].reverse();
    }
}

/// Packs it with gzip, and some of that in base64 within an event; a bomb now and then.
fn packed(input: &[u8], chance: &mut Chance) -> Vec<u8> {
    let times = if chance.below(4) == 0 {
        1 + chance.below(1 << 12)
    } else {
        1
    };
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for _ in 0..times.min((32 << 20) / input.len().max(1)).max(1) {
        // A Vec takes all.
        let _ = gzip.write_all(input);
    }
    let bytes = gzip.finish().unwrap_or_default();
    if chance.below(2) == 0 {
        return bytes;
    }
    format!(
        "{{\"awslogs\":{{\"data\":\"{}\"}}}}",
        STANDARD.encode(bytes)
    )
    .into_bytes()
}
