"""Messages, reminders and the inbox."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
revision = 'notifications_0001'
down_revision = None
branch_labels = ('notifications',)
depends_on = None


def upgrade() -> None:
    op.create_table('campaign',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('as_of_version', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_campaign'))
    )
    op.create_table('colleague',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('email', sa.Text(), nullable=False),
    sa.Column('language', sa.Text(), nullable=False),
    sa.Column('team_path', sa.Text(), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.Column('as_of_version', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_colleague'))
    )
    op.create_table('content',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('campaign_id', sa.Uuid(), nullable=False),
    sa.Column('channel', sa.Text(), nullable=False),
    sa.Column('language', sa.Text(), nullable=False),
    sa.Column('subject', sa.Text(), nullable=False),
    sa.Column('body', sa.Text(), nullable=False),
    sa.Column('digest', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_content')),
    sa.UniqueConstraint('campaign_id', 'channel', 'language', 'digest', name=op.f('uq_content_campaign_id_channel_language_digest'))
    )
    op.create_table('customer',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('language', sa.Text(), nullable=False),
    sa.Column('country', sa.Text(), nullable=False),
    sa.Column('email', sa.Text(), nullable=True),
    sa.Column('phone', sa.Text(), nullable=True),
    sa.Column('consents', postgresql.ARRAY(sa.Text()), nullable=False),
    sa.Column('as_of_version', sa.Integer(), nullable=False),
    sa.Column('owner_id', sa.Uuid(), nullable=True),
    sa.Column('team_path', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_customer'))
    )
    op.create_index(op.f('ix_customer_owner_id'), 'customer', ['owner_id'], unique=False)
    op.create_table('inbox_item',
    sa.Column('owner_id', sa.Uuid(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('title', sa.Text(), nullable=False),
    sa.Column('body', sa.Text(), nullable=True),
    sa.Column('reminder_id', sa.Uuid(), nullable=True),
    sa.Column('subject_type', sa.Text(), nullable=True),
    sa.Column('subject_id', sa.Uuid(), nullable=True),
    sa.Column('read_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('event_number', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_inbox_item'))
    )
    op.create_index('ix_inbox_item_owner_id', 'inbox_item', ['owner_id', 'created_at', 'id'], unique=False)
    op.create_index('ix_inbox_item_unread', 'inbox_item', ['owner_id', 'created_at', 'id'], unique=False, postgresql_where=sa.text('read_at is null'))
    op.create_table('receipt',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('provider_id', sa.Text(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('received_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_receipt'))
    )
    op.create_index(op.f('ix_receipt_provider_id'), 'receipt', ['provider_id'], unique=False)
    op.create_table('reminder',
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('title', sa.Text(), nullable=False),
    sa.Column('note', sa.Text(), nullable=True),
    sa.Column('subject_type', sa.Text(), nullable=True),
    sa.Column('subject_id', sa.Uuid(), nullable=True),
    sa.Column('due_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('first_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('time_zone', sa.Text(), nullable=False),
    sa.Column('repeats', sa.Text(), nullable=False),
    sa.Column('next_id', sa.Uuid(), nullable=True),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('fired_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('resolved_by', sa.Text(), nullable=True),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('event_number', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('owner_id', sa.Uuid(), nullable=True),
    sa.Column('team_path', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_reminder'))
    )
    op.create_index('ix_reminder_created_at', 'reminder', ['created_at', 'id'], unique=False)
    op.create_index('ix_reminder_due_at', 'reminder', ['due_at', 'id'], unique=False)
    op.create_index('ix_reminder_owner_due_at', 'reminder', ['owner_id', 'due_at', 'id'], unique=False)
    op.create_index(op.f('ix_reminder_owner_id'), 'reminder', ['owner_id'], unique=False)
    op.create_index('ix_reminder_status', 'reminder', ['status', 'due_at', 'id'], unique=False)
    op.create_index('ix_reminder_subject_id', 'reminder', ['subject_id', 'due_at', 'id'], unique=False)
    op.create_index('ix_reminder_team_path', 'reminder', ['team_path', 'due_at', 'id'], unique=False)
    op.create_table('report',
    sa.Column('campaign_id', sa.Uuid(), nullable=False),
    sa.Column('size', sa.Integer(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('event_number', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_report'))
    )
    op.create_table('message',
    sa.Column('dedupe_key', sa.Text(), nullable=False),
    sa.Column('purpose', sa.Text(), nullable=False),
    sa.Column('channel', sa.Text(), nullable=False),
    sa.Column('lane', sa.Text(), nullable=False),
    sa.Column('template', sa.Text(), nullable=False),
    sa.Column('customer_id', sa.Uuid(), nullable=True),
    sa.Column('staff_id', sa.Uuid(), nullable=True),
    sa.Column('campaign_id', sa.Uuid(), nullable=True),
    sa.Column('recipient_id', sa.Uuid(), nullable=True),
    sa.Column('batch_id', sa.Uuid(), nullable=True),
    sa.Column('content_id', sa.Uuid(), nullable=True),
    sa.Column('language', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('address', sa.Text(), nullable=False),
    sa.Column('subject', sa.Text(), nullable=True),
    sa.Column('body', sa.Text(), nullable=True),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('next_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('claimed_by', sa.Uuid(), nullable=True),
    sa.Column('lease_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('sent_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('event_number', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['content_id'], ['content.id'], name=op.f('fk_message_content_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_message')),
    sa.UniqueConstraint('dedupe_key', name=op.f('uq_message_dedupe_key'))
    )
    op.create_index('ix_message_campaign_id', 'message', ['campaign_id', 'created_at', 'id'], unique=False, postgresql_where=sa.text('campaign_id is not null'))
    op.create_index('ix_message_created_at', 'message', ['created_at', 'id'], unique=False)
    op.create_index('ix_message_customer_id', 'message', ['customer_id', 'created_at', 'id'], unique=False)
    op.create_index('ix_message_leased', 'message', ['lease_until'], unique=False, postgresql_where=sa.text("status = 'sending'"))
    op.create_index('ix_message_queued', 'message', ['lane', 'next_at'], unique=False, postgresql_where=sa.text("status = 'queued'"))
    op.create_index('ix_message_staff_id', 'message', ['staff_id'], unique=False, postgresql_where=sa.text('staff_id is not null'))
    op.create_index('ix_message_unsent', 'message', ['status', 'created_at', 'id'], unique=False, postgresql_where=sa.text("status not in ('sent', 'delivered', 'sending')"))
    op.create_table('part',
    sa.Column('provider_id', sa.Text(), nullable=False),
    sa.Column('message_id', sa.Uuid(), nullable=False),
    sa.Column('state', sa.Text(), nullable=True),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(['message_id'], ['message.id'], name=op.f('fk_part_message_id')),
    sa.PrimaryKeyConstraint('provider_id', name=op.f('pk_part'))
    )
    op.create_index(op.f('ix_part_message_id'), 'part', ['message_id'], unique=False)


def downgrade() -> None:
    op.drop_index(op.f('ix_part_message_id'), table_name='part')
    op.drop_table('part')
    op.drop_index('ix_message_unsent', table_name='message', postgresql_where=sa.text("status not in ('sent', 'delivered', 'sending')"))
    op.drop_index('ix_message_staff_id', table_name='message', postgresql_where=sa.text('staff_id is not null'))
    op.drop_index('ix_message_queued', table_name='message', postgresql_where=sa.text("status = 'queued'"))
    op.drop_index('ix_message_leased', table_name='message', postgresql_where=sa.text("status = 'sending'"))
    op.drop_index('ix_message_customer_id', table_name='message')
    op.drop_index('ix_message_created_at', table_name='message')
    op.drop_index('ix_message_campaign_id', table_name='message', postgresql_where=sa.text('campaign_id is not null'))
    op.drop_table('message')
    op.drop_table('report')
    op.drop_index('ix_reminder_team_path', table_name='reminder')
    op.drop_index('ix_reminder_subject_id', table_name='reminder')
    op.drop_index('ix_reminder_status', table_name='reminder')
    op.drop_index(op.f('ix_reminder_owner_id'), table_name='reminder')
    op.drop_index('ix_reminder_owner_due_at', table_name='reminder')
    op.drop_index('ix_reminder_due_at', table_name='reminder')
    op.drop_index('ix_reminder_created_at', table_name='reminder')
    op.drop_table('reminder')
    op.drop_index(op.f('ix_receipt_provider_id'), table_name='receipt')
    op.drop_table('receipt')
    op.drop_index('ix_inbox_item_unread', table_name='inbox_item', postgresql_where=sa.text('read_at is null'))
    op.drop_index('ix_inbox_item_owner_id', table_name='inbox_item')
    op.drop_table('inbox_item')
    op.drop_index(op.f('ix_customer_owner_id'), table_name='customer')
    op.drop_table('customer')
    op.drop_table('content')
    op.drop_table('colleague')
    op.drop_table('campaign')
