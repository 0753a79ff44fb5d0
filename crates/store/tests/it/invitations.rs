//! Contract of `store::invitations`.
