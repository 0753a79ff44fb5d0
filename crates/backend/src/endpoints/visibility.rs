//! Who may see and who may change an endpoint. Every route and every call asks here.

use syfthub_auth::Principal;
use syfthub_domain::UserId;
use syfthub_store::endpoints::EndpointWithOwner;

use super::policies::Audience;

/// Whether the viewer runs this endpoint: its owner, or an admin.
pub(crate) fn may_edit(item: &EndpointWithOwner, viewer: Option<&Principal>) -> bool {
    viewer.is_some_and(|viewer| viewer.user_id == item.endpoint.user_id || viewer.is_admin())
}

/// Whether the viewer may know of it. What is not listed (private, internal, switched off, of an inactive
/// owner) is for its owner and for admins only.
pub(crate) fn may_see(item: &EndpointWithOwner, viewer: Option<&Principal>) -> bool {
    item.is_listed() || may_edit(item, viewer)
}

/// The same, but what failed checks switched off may be known of as before.
pub(crate) fn may_see_inactive(item: &EndpointWithOwner, viewer: Option<&Principal>) -> bool {
    let mut item = item.clone();
    item.endpoint.is_active = true;
    may_see(&item, viewer)
}

/// Which policies the viewer is shown.
pub(crate) fn audience<'a>(item: &EndpointWithOwner, viewer: Option<&'a Principal>) -> Audience<'a> {
    audience_of(item.endpoint.user_id, viewer)
}

/// The same for an endpoint of which only the owner is at hand.
pub(crate) fn audience_of(owner: UserId, viewer: Option<&Principal>) -> Audience<'_> {
    match viewer {
        Some(viewer) if viewer.user_id == owner || viewer.is_admin() => Audience::Everything,
        Some(viewer) => Audience::Email(&viewer.email),
        None => Audience::Anonymous,
    }
}
