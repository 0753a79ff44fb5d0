//! Who may do what with a collective. Every rule of the feature asks here; what somebody sees of members is the
//! condition of the store's queries, on a [`Sight`].

use syfthub_auth::Principal;
use syfthub_domain::{Error, ErrorCode, Result};
use syfthub_store::collectives::{CollectiveRow, Member, Sight};
use syfthub_store::endpoints::EndpointWithOwner;

use crate::endpoints::visibility;

/// Through whose eyes members are read.
pub(super) fn sight(viewer: Option<&Principal>) -> Sight {
    Sight { viewer: viewer.map(|viewer| viewer.user_id), is_admin: viewer.is_some_and(Principal::is_admin) }
}

/// Whether the viewer made the collective.
pub(super) fn owns(collective: &CollectiveRow, viewer: &Principal) -> bool {
    collective.owner_id == viewer.user_id
}

/// Whether the viewer sees every membership, in whatever state: the owner, or an admin.
pub(super) fn runs(collective: &CollectiveRow, viewer: Option<&Principal>) -> bool {
    viewer.is_some_and(|viewer| owns(collective, viewer) || viewer.is_admin())
}

/// Changing and removing a collective is for its owner and for admins.
pub(super) fn may_change(collective: &CollectiveRow, viewer: &Principal) -> Result<()> {
    allowed(runs(collective, Some(viewer)), "Only the owner of the collective or an admin may do this")
}

/// Deciding about members and what is shared is for the owner alone: an admin runs the hub, not the collective.
pub(super) fn may_decide(collective: &CollectiveRow, viewer: &Principal) -> Result<()> {
    allowed(owns(collective, viewer), "Only the owner of the collective may do this")
}

/// Bringing an endpoint into a collective is for the endpoint's owner alone.
pub(super) fn may_bring(endpoint: &EndpointWithOwner, viewer: &Principal) -> Result<()> {
    allowed(endpoint.endpoint.user_id == viewer.user_id, "Only the owner of the endpoint may do this")
}

/// Answering an invitation is for the endpoint's owner alone.
pub(super) fn may_respond(member: &Member, viewer: &Principal) -> Result<()> {
    allowed(member.endpoint_owner_id == viewer.user_id, "Only the owner of the endpoint may do this")
}

/// Ending a membership is for either side.
pub(super) fn may_end(collective: &CollectiveRow, member: &Member, viewer: &Principal) -> Result<()> {
    allowed(
        owns(collective, viewer) || member.endpoint_owner_id == viewer.user_id,
        "Only the owner of the collective or of the endpoint may do this",
    )
}

/// Reading one membership, in whatever state, is for either side and for admins.
pub(super) fn may_read(collective: &CollectiveRow, member: &Member, viewer: &Principal) -> Result<()> {
    let either_side = runs(collective, Some(viewer)) || member.endpoint_owner_id == viewer.user_id;
    allowed(either_side, "Only the owner of the collective or of the endpoint may see this")
}

/// Whether the viewer may name this endpoint in a request at all.
pub(super) fn may_name(endpoint: &EndpointWithOwner, viewer: &Principal) -> bool {
    visibility::may_see(endpoint, Some(viewer))
}

fn allowed(it_is: bool, otherwise: &str) -> Result<()> {
    if it_is { Ok(()) } else { Err(Error::new(ErrorCode::PermissionDenied, otherwise)) }
}
