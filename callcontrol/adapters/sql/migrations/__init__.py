"""The schema's history, for Alembic. Forward only: the way back is a backup."""
