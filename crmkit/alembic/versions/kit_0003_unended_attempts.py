"""How many attempts at a kept event began since one told of its end."""

import sqlalchemy as sa
from alembic import op

revision = 'kit_0003'
down_revision = 'kit_0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('inbox', sa.Column('unended', sa.SmallInteger(), server_default=sa.text('0'), nullable=False))


def downgrade() -> None:
    op.drop_column('inbox', 'unended')
