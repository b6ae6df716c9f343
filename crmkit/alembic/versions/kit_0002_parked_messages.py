"""Messages that nobody could take, and indexes over what is parked."""

import sqlalchemy as sa
from alembic import op

revision = 'kit_0002'
down_revision = 'kit_0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('parked_message',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('queue', sa.Text(), nullable=False),
    sa.Column('consumer', sa.Text(), nullable=True),
    sa.Column('source', sa.Text(), nullable=False),
    sa.Column('routing_key', sa.Text(), nullable=False),
    sa.Column('sender', sa.Text(), nullable=True),
    sa.Column('body', sa.LargeBinary(), nullable=False),
    sa.Column('event_id', sa.Uuid(), nullable=True),
    sa.Column('type', sa.Text(), nullable=True),
    sa.Column('subject', sa.Text(), nullable=True),
    sa.Column('status', sa.Text(), server_default=sa.text("'parked'"), nullable=False),
    sa.Column('error', sa.Text(), nullable=True),
    sa.Column('parked_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_parked_message'))
    )
    op.create_index('ix_parked_message_parked', 'parked_message', ['parked_at'], unique=False, postgresql_where=sa.text("status = 'parked'"))
    op.create_index('ix_inbox_parked', 'inbox', ['received_at'], unique=False, postgresql_where=sa.text("status = 'parked'"))
    op.add_column('timer', sa.Column('failed_at', sa.DateTime(timezone=True), nullable=True))
    op.create_index('ix_timer_dead', 'timer', ['due_at'], unique=False, postgresql_where=sa.text('attempts >= 10'))


def downgrade() -> None:
    op.drop_index('ix_timer_dead', table_name='timer', postgresql_where=sa.text('attempts >= 10'))
    op.drop_column('timer', 'failed_at')
    op.drop_index('ix_inbox_parked', table_name='inbox', postgresql_where=sa.text("status = 'parked'"))
    op.drop_index('ix_parked_message_parked', table_name='parked_message', postgresql_where=sa.text("status = 'parked'"))
    op.drop_table('parked_message')
