//! How a membership goes from one state to the next. Nothing here reads or writes.

use syfthub_domain::MembershipStatus::{self, Approved, Invited, Pending, Rejected};

/// What a request about a membership comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It stays as it is.
    Stay,
    /// It begins anew in this state.
    Begin(MembershipStatus),
    /// What the other side had asked for is granted.
    Grant,
    /// It cannot be; the text says why.
    Refuse(&'static str),
}

/// The endpoint's owner asks to join.
pub(super) const fn join(from: Option<MembershipStatus>, auto_approve: bool) -> Step {
    match from {
        None | Some(Rejected) if auto_approve => Step::Begin(Approved),
        None | Some(Rejected) => Step::Begin(Pending),
        Some(Pending) => Step::Stay,
        Some(Invited) => Step::Grant,
        Some(Approved) => Step::Refuse("The endpoint is a member already"),
    }
}

/// The collective's owner asks an endpoint to join.
pub(super) const fn invite(from: Option<MembershipStatus>) -> Step {
    match from {
        None | Some(Rejected) => Step::Begin(Invited),
        Some(Invited) => Step::Stay,
        Some(Pending) => Step::Grant,
        Some(Approved) => Step::Refuse("The endpoint is a member already"),
    }
}

/// The collective's owner answers a request.
pub(super) const fn review(from: MembershipStatus, approve: bool) -> Result<MembershipStatus, &'static str> {
    match from {
        Pending if approve => Ok(Approved),
        Pending => Ok(Rejected),
        _ => Err("There is no pending request to decide on"),
    }
}

/// The endpoint's owner answers an invitation.
pub(super) const fn respond(from: MembershipStatus, accept: bool) -> Result<MembershipStatus, &'static str> {
    match from {
        Invited if accept => Ok(Approved),
        Invited => Ok(Rejected),
        _ => Err("There is no open invitation to answer"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asking_and_inviting_meet_in_a_membership() {
        for from in [None, Some(Rejected)] {
            assert_eq!(join(from, false), Step::Begin(Pending));
            assert_eq!(join(from, true), Step::Begin(Approved));
            assert_eq!(invite(from), Step::Begin(Invited));
        }
        for auto in [false, true] {
            assert_eq!(join(Some(Pending), auto), Step::Stay);
            assert_eq!(join(Some(Invited), auto), Step::Grant);
            assert!(matches!(join(Some(Approved), auto), Step::Refuse(_)));
        }
        assert_eq!(invite(Some(Invited)), Step::Stay);
        assert_eq!(invite(Some(Pending)), Step::Grant);
        assert!(matches!(invite(Some(Approved)), Step::Refuse(_)));
    }

    #[test]
    fn each_side_answers_only_what_the_other_asked() {
        for status in MembershipStatus::ALL.iter().copied() {
            for yes in [true, false] {
                let expected = if yes { Approved } else { Rejected };
                assert_eq!(review(status, yes).ok(), (status == Pending).then_some(expected));
                assert_eq!(respond(status, yes).ok(), (status == Invited).then_some(expected));
            }
        }
    }
}
