//! The entry points: tc on both directions of a tap, and the XDP shield in front of it.

use aya_ebpf::bindings::{__sk_buff, TC_ACT_SHOT, TC_ACT_UNSPEC, xdp_action, xdp_md};
use ipv6_sg_common::abi::{Direction, Hook};
use ipv6_sg_common::packet::Frame;
use ipv6_sg_common::verdict::{Action, judge};

use crate::skb::Skb;
use crate::tables::{Remembering, Stateless};
use crate::xdp::Xdp;
use crate::{maps, report};

/// tc ingress of the tap: packets from the VM.
#[unsafe(no_mangle)]
#[unsafe(link_section = "classifier")]
extern "C" fn ipv6_sg_from_vm(context: *mut __sk_buff) -> i32 {
    guard(context, Direction::FromVm)
}

/// tc egress of the tap: packets to the VM.
#[unsafe(no_mangle)]
#[unsafe(link_section = "classifier")]
extern "C" fn ipv6_sg_to_vm(context: *mut __sk_buff) -> i32 {
    guard(context, Direction::ToVm)
}

/// XDP on the tap: packets from the VM, before a socket buffer exists for them.
#[unsafe(no_mangle)]
#[unsafe(link_section = "xdp")]
extern "C" fn ipv6_sg_shield(context: *mut xdp_md) -> u32 {
    let frame = Xdp::new(context);
    let ifindex = frame.ifindex();
    // Without a port tc decides: it drops and counts.
    let Some(port) = maps::port(ifindex) else { return xdp_action::XDP_PASS };
    let reason = judge(Direction::FromVm, port, &frame, &Stateless { port });
    match reason.action() {
        // Passed is only counted once, by tc.
        Action::Pass => xdp_action::XDP_PASS,
        Action::Drop => {
            report::dropped(&frame, port, Direction::FromVm, Hook::Xdp, reason);
            xdp_action::XDP_DROP
        }
    }
}

#[inline(always)]
fn guard(context: *mut __sk_buff, direction: Direction) -> i32 {
    let frame = Skb::new(context);
    let ifindex = frame.ifindex();
    let Some(port) = maps::port(ifindex) else {
        report::stray(frame.length());
        #[cfg(feature = "diagnostics")]
        aya_log_ebpf::warn!(aya_ebpf::programs::TcContext::new(context), "no port for interface {}", ifindex);
        return TC_ACT_SHOT;
    };
    let reason = judge(direction, port, &frame, &Remembering { port });
    match reason.action() {
        Action::Pass => {
            report::passed(&frame, port, direction, reason);
            TC_ACT_UNSPEC
        }
        Action::Drop => {
            report::dropped(&frame, port, direction, Hook::Tc, reason);
            TC_ACT_SHOT
        }
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // Never reached: the verifier refuses the loop below wherever a path leads to it.
    loop {}
}

/// The kernel gives its helpers to GPL-compatible programs only.
#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
