"""Campaigns."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
revision = 'marketing_0001'
down_revision = None
branch_labels = ('marketing',)
depends_on = None


def upgrade() -> None:
    op.create_table('campaign',
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('channels', postgresql.ARRAY(sa.Text()), nullable=False),
    sa.Column('audience', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('contents', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('default_language', sa.Text(), nullable=False),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('launcher', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('audience_size', sa.Integer(), nullable=False),
    sa.Column('launched_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('completed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('event_number', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('owner_id', sa.Uuid(), nullable=True),
    sa.Column('team_path', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_campaign'))
    )
    op.create_index('ix_campaign_created_at', 'campaign', ['created_at', 'id'], unique=False)
    op.create_index(op.f('ix_campaign_owner_id'), 'campaign', ['owner_id'], unique=False)
    op.create_index('ix_campaign_status', 'campaign', ['status', 'created_at', 'id'], unique=False)
    op.create_index('ix_campaign_team_path', 'campaign', ['team_path', 'created_at', 'id'], unique=False)
    op.create_table('customer',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('display_name', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('language', sa.Text(), nullable=False),
    sa.Column('country', sa.Text(), nullable=False),
    sa.Column('lifecycle_stage', sa.Text(), nullable=False),
    sa.Column('tags', postgresql.ARRAY(sa.Text()), nullable=False),
    sa.Column('email', sa.Text(), nullable=True),
    sa.Column('phone', sa.Text(), nullable=True),
    sa.Column('consents', postgresql.ARRAY(sa.Text()), nullable=False),
    sa.Column('detractor', sa.Boolean(), nullable=False),
    sa.Column('as_of_version', sa.Integer(), nullable=False),
    sa.Column('owner_id', sa.Uuid(), nullable=True),
    sa.Column('team_path', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_customer'))
    )
    op.create_index(op.f('ix_customer_owner_id'), 'customer', ['owner_id'], unique=False)
    op.create_index('ix_customer_tags', 'customer', ['tags'], unique=False, postgresql_using='gin')
    op.create_table('recipient',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('campaign_id', sa.Uuid(), nullable=False),
    sa.Column('customer_id', sa.Uuid(), nullable=False),
    sa.Column('channel', sa.Text(), nullable=False),
    sa.Column('language', sa.Text(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('batch_no', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_recipient')),
    sa.UniqueConstraint('campaign_id', 'customer_id', 'channel', name=op.f('uq_recipient_campaign_id_customer_id_channel')),
    postgresql_with={'fillfactor': '80'}
    )
    op.create_index('ix_recipient_batch_no', 'recipient', ['campaign_id', 'batch_no'], unique=False)
    op.create_index('ix_recipient_campaign_id', 'recipient', ['campaign_id', 'id'], unique=False)
    op.create_index('ix_recipient_customer_id', 'recipient', ['customer_id', 'id'], unique=False)
    op.create_table('batch',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('event_number', sa.Integer(), nullable=False),
    sa.Column('campaign_id', sa.Uuid(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('channel', sa.Text(), nullable=False),
    sa.Column('handed_off_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('size', sa.Integer(), nullable=False),
    sa.Column('suppressed', sa.Integer(), nullable=False),
    sa.Column('queued', sa.Integer(), nullable=False),
    sa.Column('handed_off', sa.Integer(), nullable=False),
    sa.Column('accepted', sa.Integer(), nullable=False),
    sa.Column('delivered', sa.Integer(), nullable=False),
    sa.Column('bounced', sa.Integer(), nullable=False),
    sa.Column('failed', sa.Integer(), nullable=False),
    sa.Column('expired', sa.Integer(), nullable=False),
    sa.Column('unknown', sa.Integer(), nullable=False),
    sa.Column('cancelled', sa.Integer(), nullable=False),
    sa.CheckConstraint('size = suppressed + queued + handed_off + accepted + delivered + bounced + failed + expired + unknown + cancelled', name=op.f('ck_batch_adds_up')),
    sa.ForeignKeyConstraint(['campaign_id'], ['campaign.id'], name=op.f('fk_batch_campaign_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_batch')),
    sa.UniqueConstraint('campaign_id', 'number', name=op.f('uq_batch_campaign_id_number')),
    postgresql_with={'fillfactor': '50'}
    )
    op.create_index('ix_batch_outstanding', 'batch', ['campaign_id'], unique=False, postgresql_where=sa.text('handed_off > 0'))
    op.create_index('ix_batch_queued', 'batch', ['campaign_id', 'number'], unique=False, postgresql_where=sa.text('queued > 0'))


def downgrade() -> None:
    op.drop_index('ix_batch_queued', table_name='batch', postgresql_where=sa.text('queued > 0'))
    op.drop_index('ix_batch_outstanding', table_name='batch', postgresql_where=sa.text('handed_off > 0'))
    op.drop_table('batch')
    op.drop_index('ix_recipient_customer_id', table_name='recipient')
    op.drop_index('ix_recipient_campaign_id', table_name='recipient')
    op.drop_index('ix_recipient_batch_no', table_name='recipient')
    op.drop_table('recipient')
    op.drop_index('ix_customer_tags', table_name='customer', postgresql_using='gin')
    op.drop_index(op.f('ix_customer_owner_id'), table_name='customer')
    op.drop_table('customer')
    op.drop_index('ix_campaign_team_path', table_name='campaign')
    op.drop_index('ix_campaign_status', table_name='campaign')
    op.drop_index(op.f('ix_campaign_owner_id'), table_name='campaign')
    op.drop_index('ix_campaign_created_at', table_name='campaign')
    op.drop_table('campaign')
