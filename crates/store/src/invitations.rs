//! Invitations to register.
