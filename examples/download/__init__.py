"""Large CSV files from S3, filtered while they are streamed."""
