"""Unsubscriptions, and phones that text messages reach."""

import sqlalchemy as sa
from alembic import op
revision = 'notifications_0002'
down_revision = 'notifications_0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('unsubscription',
    sa.Column('customer_id', sa.Uuid(), nullable=False),
    sa.Column('channel', sa.Text(), nullable=False),
    sa.Column('message_id', sa.Uuid(), nullable=False),
    sa.Column('customer_version', sa.Integer(), nullable=False),
    sa.Column('confirmed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('event_number', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_unsubscription'))
    )
    op.create_index('ix_unsubscription_customer_id', 'unsubscription', ['customer_id', 'channel'], unique=False)
    op.create_index('ix_unsubscription_open', 'unsubscription', ['customer_id', 'channel'], unique=True, postgresql_where=sa.text('confirmed_at is null'))
    # Until a customer's next event a landline stays among them, as before.
    op.alter_column('customer', 'phone', new_column_name='mobile')


def downgrade() -> None:
    op.alter_column('customer', 'mobile', new_column_name='phone')
    op.drop_table('unsubscription')
