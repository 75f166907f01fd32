// SPDX-License-Identifier: MIT
//! Where a real server would ask its database: documents that follow from their numbers.
use crate::value::Value;

const WORDS: &[&str] = &[
    "red", "green", "oak", "chair", "table", "lamp", "small", "large", "old", "new", "round", "garden",
    "kitchen", "office", "iron", "glass", "wool", "cotton", "door", "window", "shelf", "mirror", "desk",
    "stool",
];

/// Numbers that look random and follow from the seed.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }

    pub fn word(&mut self) -> &'static str {
        WORDS[self.below(WORDS.len())]
    }

    pub fn sentence(&mut self, words: usize) -> String {
        let chosen: Vec<&str> = (0..words).map(|_| self.word()).collect();
        chosen.join(" ")
    }
}

/// A document of 30 to 90 values, one to eight kilobytes of JSON.
pub fn document(id: u64) -> Value {
    let mut dice = Dice::new(id + 1);
    let tags = (0..dice.below(12)).map(|_| Value::text(dice.word())).collect();
    let reviews = (0..dice.below(10) + 1)
        .map(|i| {
            Value::map([
                ("by", Value::Text(format!("user{}", dice.below(100_000)))),
                ("stars", Value::Number((dice.below(5) + 1) as f64)),
                (
                    "text",
                    Value::Text({
                        let words = 5 + dice.below(60);
                        dice.sentence(words)
                    }),
                ),
                ("useful", Value::Bool(i % 2 == 0)),
            ])
        })
        .collect();
    Value::map([
        ("id", Value::Number(id as f64)),
        ("name", Value::Text(dice.sentence(3))),
        ("price", Value::Number(dice.below(100_000) as f64 / 100.0)),
        ("text", Value::Text(dice.sentence(40))),
        ("tags", Value::List(tags)),
        ("reviews", Value::List(reviews)),
        ("stock", Value::map([("north", Value::Number(dice.below(50) as f64)), ("south", Value::Null)])),
    ])
}

pub struct Hit {
    pub name: String,
    pub price: f64,
    pub score: u32,
    words: Vec<String>,
}

impl Hit {
    pub fn excerpt(&self) -> String {
        self.words.iter().take(12).map(String::as_str).collect::<Vec<_>>().join(" ") + " …"
    }
}

/// About sixty hits for a search.
pub fn matching(words: &[String]) -> Vec<Hit> {
    let seed = words
        .iter()
        .flat_map(|w| w.bytes())
        .fold(7, |h: u64, b| h.wrapping_mul(31).wrapping_add(u64::from(b)));
    let mut dice = Dice::new(seed);
    (0..40 + dice.below(40))
        .map(|i| {
            let text: Vec<String> = (0..8 + dice.below(16)).map(|_| dice.word().to_owned()).collect();
            Hit {
                name: format!("{} {}", dice.sentence(2), i),
                price: dice.below(100_000) as f64 / 100.0,
                score: text.iter().filter(|w| words.contains(w)).count() as u32,
                words: text,
            }
        })
        .collect()
}
