//! What a frame must leave behind: the verdict, one count, and an event where it was dropped.

use ipv6_sg_common::abi::{CAPTURE, Counters, Direction, DropEvent, Hook};
use ipv6_sg_common::verdict::{Action, Reason};

use super::Object;
use crate::frame::Frame;

/// Counters with this one frame added.
#[must_use]
pub fn counted(mut before: Counters, direction: Direction, reason: Reason, length: usize) -> Counters {
    let count = before.direction_mut(direction).of_mut(reason);
    count.packets += 1;
    count.bytes += length as u64;
    before
}

/// The reasons whose packets differ.
pub fn difference(before: &Counters, after: &Counters, direction: Direction) -> Vec<Reason> {
    let packets = |counters: &Counters, reason| counters.direction(direction).of(reason).packets;
    Reason::ALL.into_iter().filter(|reason| packets(before, *reason) != packets(after, *reason)).collect()
}

impl Object {
    /// Runs tc on a frame that this must become of.
    #[track_caller]
    pub fn expect_tc(&mut self, name: &str, direction: Direction, frame: &Frame, reason: Reason) {
        let before = self.counters();
        let action = self.tc(direction, frame).expect("not too short");
        let after = self.counters();
        let seen = difference(&before, &after, direction);
        let wanted = counted(before, direction, reason, frame.bytes.len());
        // Not printed: there are hundreds, and those that differ are named.
        assert!(after == wanted, "{name}: {seen:?}, not {reason}: {frame:?}");
        assert_eq!(action, reason.action(), "{name}: {frame:?}");
        match action {
            Action::Drop => self.expect_event(name, Hook::Tc, direction, reason, frame),
            Action::Pass => assert_eq!(self.event(), None, "{name}"),
        }
    }

    /// Takes the one event there must be after a drop, and compares it with the frame.
    #[track_caller]
    pub fn expect_event(&mut self, name: &str, hook: Hook, direction: Direction, reason: Reason, frame: &Frame) {
        let event = self.event().unwrap_or_else(|| panic!("{name}: a drop without an event"));
        let DropEvent { ifindex, frame_length, captured, bytes, tagged, padding, .. } = event;
        assert_eq!(Reason::from_number(event.reason), Some(reason), "{name}");
        assert_eq!(Direction::from_number(event.direction), Some(direction), "{name}");
        assert_eq!(Hook::from_number(event.hook), Some(hook), "{name}");
        assert_eq!((ifindex, tagged, padding), (self.ifindex, 0, 0), "{name}");
        assert_eq!(frame_length as usize, frame.bytes.len(), "{name}");
        let whole = frame.bytes.len().min(CAPTURE);
        // The shield copies in units of 8.
        let captures = if hook == Hook::Xdp { whole / 8 * 8 } else { whole };
        assert_eq!(usize::from(captured), captures, "{name}");
        assert_eq!(bytes[..captures], frame.bytes[..captures], "{name}");
        assert!(bytes[captures..].iter().all(|byte| *byte == 0), "{name}: bytes that nobody captured");
        assert!(self.event().is_none(), "{name}: two events");
    }

    /// Runs tc on a frame and says what became of it, by the one count that it left.
    #[track_caller]
    pub fn reason(&mut self, direction: Direction, frame: &Frame) -> Reason {
        let before = self.counters();
        let action = self.tc(direction, frame).expect("not too short");
        let after = self.counters();
        let seen = difference(&before, &after, direction);
        let [reason] = seen[..] else { panic!("not one reason but {seen:?}: {frame:?}") };
        let suppressed = after.suppressed;
        let wanted = Counters { suppressed, ..counted(before, direction, reason, frame.bytes.len()) };
        assert_eq!((after, action), (wanted, reason.action()), "{reason}: {frame:?}");
        while self.event().is_some() {}
        reason
    }
}
