"""Service desk."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = 'service_desk_0001'
down_revision = None
branch_labels = ('service_desk',)
depends_on = None


def upgrade() -> None:
    op.execute(sa.schema.CreateSequence(sa.Sequence('ticket_number')))
    op.create_table('colleague',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('team_path', sa.Text(), nullable=False),
    sa.Column('roles', postgresql.ARRAY(sa.Text()), nullable=False),
    sa.Column('capacity', sa.Integer(), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.Column('open_tickets', sa.Integer(), nullable=False),
    sa.Column('last_assigned_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('as_of_version', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_colleague'))
    )
    op.create_table('customer',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('language', sa.Text(), nullable=False),
    sa.Column('as_of_version', sa.Integer(), nullable=False),
    sa.Column('owner_id', sa.Uuid(), nullable=True),
    sa.Column('team_path', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_customer'))
    )
    op.create_index(op.f('ix_customer_owner_id'), 'customer', ['owner_id'], unique=False)
    op.create_table('ticket',
    sa.Column('number', sa.Text(), nullable=False),
    sa.Column('customer_id', sa.Uuid(), nullable=False),
    sa.Column('subject', sa.Text(), nullable=False),
    sa.Column('body', sa.Text(), nullable=False),
    sa.Column('priority', sa.Text(), nullable=False),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('outcome', sa.Text(), nullable=True),
    sa.Column('score', sa.Integer(), nullable=True),
    sa.Column('resolved_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('closed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('event_number', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('owner_id', sa.Uuid(), nullable=True),
    sa.Column('team_path', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_ticket')),
    sa.UniqueConstraint('number', name=op.f('uq_ticket_number'))
    )
    op.create_index('ix_ticket_created_at', 'ticket', ['created_at', 'id'], unique=False)
    op.create_index('ix_ticket_customer_id', 'ticket', ['customer_id', 'created_at', 'id'], unique=False)
    op.create_index('ix_ticket_owner_created', 'ticket', ['owner_id', 'created_at', 'id'], unique=False)
    op.create_index(op.f('ix_ticket_owner_id'), 'ticket', ['owner_id'], unique=False)
    op.create_index('ix_ticket_priority', 'ticket', ['priority', 'created_at', 'id'], unique=False)
    op.create_index('ix_ticket_status', 'ticket', ['status', 'created_at', 'id'], unique=False)
    op.create_index('ix_ticket_team_path', 'ticket', ['team_path', 'created_at', 'id'], unique=False)
    op.create_index('ix_ticket_updated_at', 'ticket', ['updated_at', 'id'], unique=False)
    op.create_table('feedback',
    sa.Column('customer_id', sa.Uuid(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('channel', sa.Text(), nullable=False),
    sa.Column('subject', sa.Text(), nullable=False),
    sa.Column('body', sa.Text(), nullable=False),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('ticket_id', sa.Uuid(), nullable=True),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('event_number', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('owner_id', sa.Uuid(), nullable=True),
    sa.Column('team_path', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['ticket_id'], ['ticket.id'], name=op.f('fk_feedback_ticket_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_feedback'))
    )
    op.create_index('ix_feedback_created_at', 'feedback', ['created_at', 'id'], unique=False)
    op.create_index('ix_feedback_customer_id', 'feedback', ['customer_id', 'created_at', 'id'], unique=False)
    op.create_index('ix_feedback_kind', 'feedback', ['kind', 'created_at', 'id'], unique=False)
    op.create_index(op.f('ix_feedback_owner_id'), 'feedback', ['owner_id'], unique=False)
    op.create_index('ix_feedback_status', 'feedback', ['status', 'created_at', 'id'], unique=False)
    op.create_index('ix_feedback_team_path', 'feedback', ['team_path', 'created_at', 'id'], unique=False)
    op.create_index(op.f('ix_feedback_ticket_id'), 'feedback', ['ticket_id'], unique=False)
    op.create_table('survey',
    sa.Column('ticket_id', sa.Uuid(), nullable=False),
    sa.Column('customer_id', sa.Uuid(), nullable=False),
    sa.Column('token_sha256', sa.LargeBinary(), nullable=False),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('score', sa.Integer(), nullable=True),
    sa.Column('comment', sa.Text(), nullable=False),
    sa.Column('answered_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('event_number', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['ticket_id'], ['ticket.id'], name=op.f('fk_survey_ticket_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_survey')),
    sa.UniqueConstraint('token_sha256', name=op.f('uq_survey_token_sha256'))
    )
    op.create_index(op.f('ix_survey_ticket_id'), 'survey', ['ticket_id'], unique=False)
    op.create_index('uq_survey_open', 'survey', ['ticket_id'], unique=True, postgresql_where=sa.text("status = 'sent'"))
    op.create_table('ticket_history',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=True), nullable=False),
    sa.Column('ticket_id', sa.Uuid(), nullable=False),
    sa.Column('from_status', sa.Text(), nullable=True),
    sa.Column('to_status', sa.Text(), nullable=False),
    sa.Column('by', sa.Text(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('note', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['ticket_id'], ['ticket.id'], name=op.f('fk_ticket_history_ticket_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_ticket_history'))
    )
    op.create_index('ix_ticket_history_ticket_id', 'ticket_history', ['ticket_id', 'id'], unique=False)


def downgrade() -> None:
    op.drop_index('ix_ticket_history_ticket_id', table_name='ticket_history')
    op.drop_table('ticket_history')
    op.drop_index('uq_survey_open', table_name='survey', postgresql_where=sa.text("status = 'sent'"))
    op.drop_index(op.f('ix_survey_ticket_id'), table_name='survey')
    op.drop_table('survey')
    op.drop_index(op.f('ix_feedback_ticket_id'), table_name='feedback')
    op.drop_index('ix_feedback_team_path', table_name='feedback')
    op.drop_index('ix_feedback_status', table_name='feedback')
    op.drop_index(op.f('ix_feedback_owner_id'), table_name='feedback')
    op.drop_index('ix_feedback_kind', table_name='feedback')
    op.drop_index('ix_feedback_customer_id', table_name='feedback')
    op.drop_index('ix_feedback_created_at', table_name='feedback')
    op.drop_table('feedback')
    op.drop_index('ix_ticket_updated_at', table_name='ticket')
    op.drop_index('ix_ticket_team_path', table_name='ticket')
    op.drop_index('ix_ticket_status', table_name='ticket')
    op.drop_index('ix_ticket_priority', table_name='ticket')
    op.drop_index(op.f('ix_ticket_owner_id'), table_name='ticket')
    op.drop_index('ix_ticket_owner_created', table_name='ticket')
    op.drop_index('ix_ticket_customer_id', table_name='ticket')
    op.drop_index('ix_ticket_created_at', table_name='ticket')
    op.drop_table('ticket')
    op.drop_index(op.f('ix_customer_owner_id'), table_name='customer')
    op.drop_table('customer')
    op.drop_table('colleague')
    op.execute(sa.schema.DropSequence(sa.Sequence('ticket_number')))
