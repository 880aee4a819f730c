-- What is counted is kept for seconds: it is compressed the quick way, where the server was built
-- with it (PostgreSQL 14 and later).
DO $$
BEGIN
    EXECUTE 'ALTER TABLE counted_verifications ALTER COLUMN batch SET COMPRESSION lz4';
EXCEPTION
    WHEN feature_not_supported OR invalid_parameter_value OR syntax_error THEN NULL;
END
$$;
