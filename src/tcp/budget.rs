//! How many out-of-order bytes all connections hold together, and who has held some for longest.

use std::collections::VecDeque;

/// The account of all places.
#[derive(Debug, Default)]
pub(super) struct Budget {
    total: usize,
    places: Vec<Account>,
    /// Places that hold something, in the order in which they came to; each at most once. A place that holds
    /// nothing any more is left in until it is first.
    order: VecDeque<u32>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Account {
    bytes: usize,
    is_queued: bool,
}

impl Budget {
    /// A place holds `bytes` now.
    pub(super) fn set(&mut self, place: u32, bytes: usize) {
        let at = place as usize;
        if at >= self.places.len() {
            if bytes == 0 {
                return;
            }
            self.places.resize(at.saturating_add(1), Account::default());
        }
        let Some(account) = self.places.get_mut(at) else { return };
        self.total = self.total.saturating_sub(account.bytes).saturating_add(bytes);
        account.bytes = bytes;
        if bytes > 0 && !std::mem::replace(&mut account.is_queued, true) {
            self.order.push_back(place);
        }
    }

    /// The place that has held something for longest, as long as all hold more than `limit`.
    pub(super) fn oldest_above(&mut self, limit: usize) -> Option<u32> {
        while let Some(&place) = self.order.front() {
            let account = self.places.get_mut(place as usize)?;
            if account.bytes > 0 {
                return (self.total > limit).then_some(place);
            }
            account.is_queued = false;
            self.order.pop_front();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_named_while_the_limit_is_exceeded() {
        let mut budget = Budget::default();
        budget.set(7, 100);
        budget.set(3, 100);
        budget.set(7, 50);
        assert_eq!(budget.oldest_above(150), None);
        assert_eq!(budget.oldest_above(149), Some(7));
        budget.set(7, 0);
        assert_eq!(budget.oldest_above(99), Some(3));
        budget.set(7, 1);
        assert_eq!(budget.oldest_above(0), Some(3));
        budget.set(3, 0);
        assert_eq!(budget.oldest_above(0), Some(7));
    }

    #[test]
    fn coming_and_going_does_not_pile_up() {
        let mut budget = Budget::default();
        budget.set(0, 1);
        for _ in 0..10_000 {
            budget.set(1, 5);
            budget.set(1, 0);
            budget.oldest_above(usize::MAX);
        }
        assert!(budget.order.len() <= 2);
    }
}
