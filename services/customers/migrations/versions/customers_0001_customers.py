"""Customers."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
revision = 'customers_0001'
down_revision = None
branch_labels = ('customers',)
depends_on = None


def upgrade() -> None:
    op.create_table('colleague',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('team_path', sa.Text(), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.Column('as_of_version', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_colleague'))
    )
    op.create_table('customer',
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('name', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('display_name', sa.Text(), nullable=False),
    sa.Column('reading', sa.Text(), nullable=True),
    sa.Column('language', sa.Text(), nullable=False),
    sa.Column('country', sa.Text(), nullable=False),
    sa.Column('city', sa.Text(), nullable=True),
    sa.Column('industry', sa.Text(), nullable=True),
    sa.Column('birthday', sa.Date(), nullable=True),
    sa.Column('source', sa.Text(), nullable=True),
    sa.Column('tags', postgresql.ARRAY(sa.Text()), nullable=False),
    sa.Column('email', sa.Text(), nullable=True),
    sa.Column('phone', sa.Text(), nullable=True),
    sa.Column('contact_points', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('consents', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('lifecycle_stage', sa.Text(), nullable=False),
    sa.Column('orders_count', sa.Integer(), nullable=False),
    sa.Column('search_keys', postgresql.ARRAY(sa.Text()), nullable=False),
    sa.Column('search_text', sa.Text(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('event_number', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('owner_id', sa.Uuid(), nullable=True),
    sa.Column('team_path', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_customer'))
    )
    op.create_index('ix_customer_country', 'customer', ['country', 'created_at', 'id'], unique=False)
    op.create_index('ix_customer_created_at', 'customer', ['created_at', 'id'], unique=False)
    op.create_index('ix_customer_display_name', 'customer', ['display_name', 'id'], unique=False)
    op.create_index('ix_customer_kind', 'customer', ['kind', 'created_at', 'id'], unique=False)
    op.create_index('ix_customer_language', 'customer', ['language', 'created_at', 'id'], unique=False)
    op.create_index('ix_customer_lifecycle_stage', 'customer', ['lifecycle_stage', 'created_at', 'id'], unique=False)
    op.create_index(op.f('ix_customer_owner_id'), 'customer', ['owner_id'], unique=False)
    op.create_index('ix_customer_search_keys', 'customer', ['search_keys'], unique=False, postgresql_using='gin')
    op.create_index('ix_customer_team_path', 'customer', ['team_path', 'created_at', 'id'], unique=False)
    op.create_index('ix_customer_updated_at', 'customer', ['updated_at', 'id'], unique=False)
    op.create_table('consent_entry',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('customer_id', sa.Uuid(), nullable=False),
    sa.Column('channel', sa.Text(), nullable=False),
    sa.Column('purpose', sa.Text(), nullable=False),
    sa.Column('granted', sa.Boolean(), nullable=False),
    sa.Column('source', sa.Text(), nullable=False),
    sa.Column('proof', sa.Text(), nullable=False),
    sa.Column('recorded_by', sa.Text(), nullable=False),
    sa.Column('recorded_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['customer_id'], ['customer.id'], name=op.f('fk_consent_entry_customer_id'), initially='DEFERRED', deferrable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_consent_entry'))
    )
    op.create_index(op.f('ix_consent_entry_customer_id'), 'consent_entry', ['customer_id'], unique=False)
    op.create_table('lifecycle_entry',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('customer_id', sa.Uuid(), nullable=False),
    sa.Column('from_stage', sa.Text(), nullable=False),
    sa.Column('to_stage', sa.Text(), nullable=False),
    sa.Column('cause', sa.Text(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['customer_id'], ['customer.id'], name=op.f('fk_lifecycle_entry_customer_id'), initially='DEFERRED', deferrable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_lifecycle_entry'))
    )
    op.create_index(op.f('ix_lifecycle_entry_customer_id'), 'lifecycle_entry', ['customer_id'], unique=False)


def downgrade() -> None:
    op.drop_index(op.f('ix_lifecycle_entry_customer_id'), table_name='lifecycle_entry')
    op.drop_table('lifecycle_entry')
    op.drop_index(op.f('ix_consent_entry_customer_id'), table_name='consent_entry')
    op.drop_table('consent_entry')
    op.drop_index('ix_customer_updated_at', table_name='customer')
    op.drop_index('ix_customer_team_path', table_name='customer')
    op.drop_index('ix_customer_search_keys', table_name='customer', postgresql_using='gin')
    op.drop_index(op.f('ix_customer_owner_id'), table_name='customer')
    op.drop_index('ix_customer_lifecycle_stage', table_name='customer')
    op.drop_index('ix_customer_language', table_name='customer')
    op.drop_index('ix_customer_kind', table_name='customer')
    op.drop_index('ix_customer_display_name', table_name='customer')
    op.drop_index('ix_customer_created_at', table_name='customer')
    op.drop_index('ix_customer_country', table_name='customer')
    op.drop_table('customer')
    op.drop_table('colleague')
