//! Dev-only: private PostgreSQL and Redis servers, fake upstream endpoints, waiting without sleeping.
