// SPDX-License-Identifier: MIT
//! Documents by number, the oldest of which give way when all together exceed a budget.
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use crate::value::Value;

/// Parts with a lock each.
const PARTS: usize = 8;

#[derive(Default)]
struct Part {
    documents: HashMap<u64, Arc<Value>>,
    by_age: VecDeque<(u64, usize)>,
    bytes: usize,
}

pub struct Cache {
    parts: Vec<Mutex<Part>>,
    budget: Mutex<usize>,
}

impl Cache {
    pub fn new(budget: usize) -> Cache {
        Cache { parts: (0..PARTS).map(|_| Mutex::default()).collect(), budget: Mutex::new(budget) }
    }

    fn part(&self, id: u64) -> &Mutex<Part> {
        &self.parts[(id % PARTS as u64) as usize]
    }

    pub fn get(&self, id: u64) -> Option<Arc<Value>> {
        self.part(id).lock().unwrap().documents.get(&id).cloned()
    }

    pub fn put(&self, id: u64, document: Arc<Value>) {
        let limit = *self.budget.lock().unwrap() / PARTS;
        let bytes = document.bytes();
        let mut part = self.part(id).lock().unwrap();
        // A document that is there keeps its place in the queue, and its size, which hardly
        // changes.
        if part.documents.insert(id, document).is_none() {
            part.by_age.push_back((id, bytes));
            part.bytes += bytes;
        }
        part.shrink(limit);
    }

    /// Sets the budget, at once.
    pub fn resize(&self, budget: usize) {
        *self.budget.lock().unwrap() = budget;
        for part in &self.parts {
            part.lock().unwrap().shrink(budget / PARTS);
        }
    }

    /// How many documents, and about how many bytes.
    pub fn size(&self) -> (usize, usize) {
        self.parts
            .iter()
            .map(|part| part.lock().unwrap())
            .fold((0, 0), |(count, bytes), part| (count + part.documents.len(), bytes + part.bytes))
    }
}

impl Part {
    fn shrink(&mut self, limit: usize) {
        while self.bytes > limit {
            match self.by_age.pop_front() {
                Some((id, bytes)) => {
                    self.documents.remove(&id);
                    self.bytes -= bytes;
                }
                None => return,
            }
        }
        if self.documents.is_empty() {
            self.documents.shrink_to_fit();
            self.by_age.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_give_way() {
        let one = Arc::new(Value::text(&"x".repeat(1000)));
        let cache = Cache::new(PARTS * 5 * one.bytes());
        for i in 0..20 {
            cache.put(i * PARTS as u64, one.clone());
        }
        assert_eq!(cache.size(), (5, 5 * one.bytes()));
        assert!(cache.get(14 * PARTS as u64).is_none() && cache.get(15 * PARTS as u64).is_some());
        cache.put(19 * PARTS as u64, one.clone());
        assert_eq!(cache.size().0, 5);
        cache.resize(0);
        assert_eq!(cache.size(), (0, 0));
    }
}
