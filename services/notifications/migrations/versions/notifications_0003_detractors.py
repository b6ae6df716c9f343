"""Customers who are so discontent that advertising would do harm."""

import sqlalchemy as sa
from alembic import op
revision = 'notifications_0003'
down_revision = 'notifications_0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Old processes insert customers without it while the new ones start.
    op.add_column('customer', sa.Column('detractor', sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    op.drop_column('customer', 'detractor')
