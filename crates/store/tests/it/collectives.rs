//! Contract of `store::collectives`.
