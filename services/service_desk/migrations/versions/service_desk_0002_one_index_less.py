"""One index of tickets less: another one begins with its only column."""

from alembic import op
revision = 'service_desk_0002'
down_revision = 'service_desk_0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index(op.f('ix_ticket_owner_id'), table_name='ticket')


def downgrade() -> None:
    op.create_index(op.f('ix_ticket_owner_id'), 'ticket', ['owner_id'], unique=False)
