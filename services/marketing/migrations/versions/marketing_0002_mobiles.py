"""Text messages go to phones that they reach."""

from alembic import op
revision = 'marketing_0002'
down_revision = 'marketing_0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Until a customer's next event a landline stays among them, as before.
    op.alter_column('customer', 'phone', new_column_name='mobile')


def downgrade() -> None:
    op.alter_column('customer', 'mobile', new_column_name='phone')
