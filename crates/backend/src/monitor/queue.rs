//! Whose turn it is to be asked.
//!
//! Owners take turns, and no owner is asked more than half of what is asked at once. So one whose thousand addresses
//! hang waits for the own answers only; the endpoints of everybody else are asked as if that one were not there.

use std::collections::{HashMap, HashSet, VecDeque};

use syfthub_domain::{EndpointId, Username};

use super::probe::Target;

/// Endpoints to be asked about, and whom to ask.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) target: Target,
    pub(super) ids: Vec<EndpointId>,
}

/// Questions that wait, and how many are being asked.
#[derive(Debug)]
pub(super) struct Queue {
    at_once: usize,
    of_one_owner: usize,
    asking: usize,
    owners: HashMap<Username, Line>,
    /// Owners with something that waits, in the order of their turns.
    turns: VecDeque<Username>,
    /// What waits or is being asked: nobody stands in the queue twice, so it is no longer than the list of addresses.
    known: HashSet<Target>,
}

#[derive(Debug, Default)]
struct Line {
    waiting: VecDeque<Question>,
    asking: usize,
}

impl Queue {
    pub(super) fn new(at_once: usize) -> Self {
        let at_once = at_once.max(1);
        Self {
            at_once,
            of_one_owner: at_once.div_ceil(2),
            asking: 0,
            owners: HashMap::new(),
            turns: VecDeque::new(),
            known: HashSet::new(),
        }
    }

    /// Lets questions wait for their turn; what waits already does not wait twice.
    pub(super) fn add(&mut self, questions: Vec<Question>) {
        for question in questions {
            if !self.known.insert(question.target.clone()) {
                continue;
            }
            let owner = &question.target.owner;
            let line = self.owners.entry(owner.clone()).or_default();
            if line.waiting.is_empty() {
                self.turns.push_back(owner.clone());
            }
            line.waiting.push_back(question);
        }
    }

    /// The next question, if one more may be asked now. It counts until it is [`done`](Self::done).
    pub(super) fn next(&mut self) -> Option<Question> {
        if self.asking >= self.at_once {
            return None;
        }
        for _ in 0..self.turns.len() {
            let owner = self.turns.pop_front()?;
            let line = self.owners.get_mut(&owner)?;
            let question = if line.asking < self.of_one_owner { line.waiting.pop_front() } else { None };
            line.asking += usize::from(question.is_some());
            if !line.waiting.is_empty() {
                self.turns.push_back(owner);
            }
            if question.is_some() {
                self.asking += 1;
                return question;
            }
        }
        None
    }

    /// Says that a question was answered, one way or another.
    pub(super) fn done(&mut self, target: &Target) {
        if !self.known.remove(target) {
            return;
        }
        self.asking = self.asking.saturating_sub(1);
        if let Some(line) = self.owners.get_mut(&target.owner) {
            line.asking = line.asking.saturating_sub(1);
            if line.asking == 0 && line.waiting.is_empty() {
                self.owners.remove(&target.owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn questions(owner: &str, count: i64) -> Vec<Question> {
        let target = |n| Target::for_tests(owner, &format!("http://h/{n}"));
        (0..count).map(|n| Question { target: target(n), ids: vec![EndpointId(n)] }).collect()
    }

    fn taken(queue: &mut Queue) -> Vec<Target> {
        std::iter::from_fn(|| queue.next()).map(|question| question.target).collect()
    }

    fn names(targets: &[Target]) -> Vec<&str> {
        targets.iter().map(|target| target.owner.as_str()).collect()
    }

    #[test]
    fn owners_take_turns_and_one_never_has_more_than_half() {
        let mut queue = Queue::new(4);
        queue.add(questions("ada", 1_000));
        let hanging = taken(&mut queue);
        assert_eq!(names(&hanging), ["ada", "ada"]);
        queue.add(questions("bob", 3));
        queue.add(questions("eve", 1));
        let others = taken(&mut queue);
        assert_eq!(names(&others), ["bob", "eve"], "the rest is for others");
        queue.done(&others[0]);
        assert_eq!(names(&taken(&mut queue)), ["bob"], "who hangs has had the turn");
        queue.done(&hanging[0]);
        assert_eq!(names(&taken(&mut queue)), ["ada"]);
    }

    #[test]
    fn nothing_waits_twice_and_all_of_it_is_asked() {
        let mut queue = Queue::new(3);
        for _ in 0..2 {
            queue.add(questions("ada", 5));
        }
        let mut asked = taken(&mut queue);
        let mut next = 0;
        while next < asked.len() {
            queue.add(questions("ada", 3).into_iter().filter(|one| one.target == asked[next]).collect());
            queue.done(&asked[next].clone());
            asked.extend(taken(&mut queue));
            next += 1;
        }
        assert_eq!(asked.len(), 5);
        assert!(queue.owners.is_empty() && queue.turns.is_empty() && queue.known.is_empty());
        assert_eq!(queue.asking, 0);
    }

    #[test]
    fn a_hub_that_asks_one_at_a_time_still_asks() {
        let mut queue = Queue::new(0);
        queue.add(questions("ada", 2));
        let first = taken(&mut queue);
        assert_eq!(first.len(), 1);
        queue.done(&first[0]);
        assert_eq!(taken(&mut queue).len(), 1);
    }
}
