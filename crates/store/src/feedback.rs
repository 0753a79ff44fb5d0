//! What users told the operator.
