"""Sales."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
revision = 'sales_0001'
down_revision = None
branch_labels = ('sales',)
depends_on = None


def upgrade() -> None:
    op.execute("create sequence order_count")
    op.create_table('colleague',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('language', sa.Text(), nullable=False),
    sa.Column('team_path', sa.Text(), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.Column('as_of_version', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_colleague'))
    )
    op.create_table('customer',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('display_name', sa.Text(), nullable=False),
    sa.Column('language', sa.Text(), nullable=False),
    sa.Column('as_of_version', sa.Integer(), nullable=False),
    sa.Column('owner_id', sa.Uuid(), nullable=True),
    sa.Column('team_path', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_customer'))
    )
    op.create_index(op.f('ix_customer_owner_id'), 'customer', ['owner_id'], unique=False)
    op.create_table('opportunity',
    sa.Column('customer_id', sa.Uuid(), nullable=False),
    sa.Column('title', sa.Text(), nullable=False),
    sa.Column('amount_minor', sa.BigInteger(), nullable=False),
    sa.Column('currency', sa.Text(), nullable=False),
    sa.Column('stage', sa.Text(), nullable=False),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('lost_reason', sa.Text(), nullable=True),
    sa.Column('expected_on', sa.Date(), nullable=True),
    sa.Column('order_id', sa.Uuid(), nullable=True),
    sa.Column('closed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('event_number', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('owner_id', sa.Uuid(), nullable=True),
    sa.Column('team_path', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_opportunity'))
    )
    op.create_index('ix_opportunity_created_at', 'opportunity', ['created_at', 'id'], unique=False)
    op.create_index('ix_opportunity_customer_id', 'opportunity', ['customer_id', 'created_at', 'id'], unique=False)
    op.create_index('ix_opportunity_expected_on', 'opportunity', ['expected_on'], unique=False)
    op.create_index(op.f('ix_opportunity_owner_id'), 'opportunity', ['owner_id'], unique=False)
    op.create_index('ix_opportunity_status', 'opportunity', ['status', 'stage', 'created_at', 'id'], unique=False)
    op.create_index('ix_opportunity_team_path', 'opportunity', ['team_path', 'created_at', 'id'], unique=False)
    op.create_index('ix_opportunity_updated_at', 'opportunity', ['updated_at', 'id'], unique=False)
    op.create_table('task',
    sa.Column('title', sa.Text(), nullable=False),
    sa.Column('customer_id', sa.Uuid(), nullable=True),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('due_on', sa.Date(), nullable=True),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('survey_id', sa.Uuid(), nullable=True),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('event_number', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('owner_id', sa.Uuid(), nullable=True),
    sa.Column('team_path', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_task')),
    sa.UniqueConstraint('survey_id', name=op.f('uq_task_survey_id'))
    )
    op.create_index('ix_task_created_at', 'task', ['created_at', 'id'], unique=False)
    op.create_index('ix_task_customer_id', 'task', ['customer_id', 'created_at', 'id'], unique=False)
    op.create_index(op.f('ix_task_owner_id'), 'task', ['owner_id'], unique=False)
    op.create_index('ix_task_status', 'task', ['status', 'due_on'], unique=False)
    op.create_index('ix_task_team_path', 'task', ['team_path', 'created_at', 'id'], unique=False)
    op.create_table('sales_order',
    sa.Column('number', sa.Text(), nullable=False),
    sa.Column('customer_id', sa.Uuid(), nullable=False),
    sa.Column('opportunity_id', sa.Uuid(), nullable=True),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('currency', sa.Text(), nullable=False),
    sa.Column('total_minor', sa.BigInteger(), nullable=False),
    sa.Column('paid_minor', sa.BigInteger(), nullable=False),
    sa.Column('lines', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('payment_due_on', sa.Date(), nullable=True),
    sa.Column('submitted_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('event_number', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('owner_id', sa.Uuid(), nullable=True),
    sa.Column('team_path', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['opportunity_id'], ['opportunity.id'], name=op.f('fk_sales_order_opportunity_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_sales_order')),
    sa.UniqueConstraint('number', name=op.f('uq_sales_order_number')),
    sa.UniqueConstraint('opportunity_id', name=op.f('uq_sales_order_opportunity_id'))
    )
    op.create_index('ix_sales_order_created_at', 'sales_order', ['created_at', 'id'], unique=False)
    op.create_index('ix_sales_order_customer_id', 'sales_order', ['customer_id', 'created_at', 'id'], unique=False)
    op.create_index(op.f('ix_sales_order_owner_id'), 'sales_order', ['owner_id'], unique=False)
    op.create_index('ix_sales_order_status', 'sales_order', ['status', 'created_at', 'id'], unique=False)
    op.create_index('ix_sales_order_team_path', 'sales_order', ['team_path', 'created_at', 'id'], unique=False)
    op.create_table('stage_entry',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=True), nullable=False),
    sa.Column('opportunity_id', sa.Uuid(), nullable=False),
    sa.Column('from_stage', sa.Text(), nullable=True),
    sa.Column('to_stage', sa.Text(), nullable=False),
    sa.Column('entered_by', sa.Text(), nullable=False),
    sa.Column('entered_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['opportunity_id'], ['opportunity.id'], name=op.f('fk_stage_entry_opportunity_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_stage_entry'))
    )
    op.create_index(op.f('ix_stage_entry_opportunity_id'), 'stage_entry', ['opportunity_id'], unique=False)
    op.create_table('payment',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('order_id', sa.Uuid(), nullable=False),
    sa.Column('amount_minor', sa.BigInteger(), nullable=False),
    sa.Column('received_on', sa.Date(), nullable=False),
    sa.Column('reference', sa.Text(), nullable=True),
    sa.Column('recorded_by', sa.Text(), nullable=False),
    sa.Column('recorded_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['order_id'], ['sales_order.id'], name=op.f('fk_payment_order_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_payment'))
    )
    op.create_index(op.f('ix_payment_order_id'), 'payment', ['order_id'], unique=False)


def downgrade() -> None:
    op.drop_index(op.f('ix_payment_order_id'), table_name='payment')
    op.drop_table('payment')
    op.drop_index(op.f('ix_stage_entry_opportunity_id'), table_name='stage_entry')
    op.drop_table('stage_entry')
    op.drop_index('ix_sales_order_team_path', table_name='sales_order')
    op.drop_index('ix_sales_order_status', table_name='sales_order')
    op.drop_index(op.f('ix_sales_order_owner_id'), table_name='sales_order')
    op.drop_index('ix_sales_order_customer_id', table_name='sales_order')
    op.drop_index('ix_sales_order_created_at', table_name='sales_order')
    op.drop_table('sales_order')
    op.drop_index('ix_task_team_path', table_name='task')
    op.drop_index('ix_task_status', table_name='task')
    op.drop_index(op.f('ix_task_owner_id'), table_name='task')
    op.drop_index('ix_task_customer_id', table_name='task')
    op.drop_index('ix_task_created_at', table_name='task')
    op.drop_table('task')
    op.drop_index('ix_opportunity_updated_at', table_name='opportunity')
    op.drop_index('ix_opportunity_team_path', table_name='opportunity')
    op.drop_index('ix_opportunity_status', table_name='opportunity')
    op.drop_index(op.f('ix_opportunity_owner_id'), table_name='opportunity')
    op.drop_index('ix_opportunity_expected_on', table_name='opportunity')
    op.drop_index('ix_opportunity_customer_id', table_name='opportunity')
    op.drop_index('ix_opportunity_created_at', table_name='opportunity')
    op.drop_table('opportunity')
    op.drop_index(op.f('ix_customer_owner_id'), table_name='customer')
    op.drop_table('customer')
    op.drop_table('colleague')
    op.execute("drop sequence order_count")
