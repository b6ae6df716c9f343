from psycopg.conninfo import conninfo_to_dict

from crmkit.dsn import dsn


class TestDsn:
    def test_notices_a_host_that_vanished_unless_told_otherwise(self) -> None:
        plain = conninfo_to_dict(dsn("postgresql+psycopg://a:p%40@db/sales?sslmode=require"))
        assert (plain["host"], plain["dbname"], plain["password"]) == ("db", "sales", "p@")
        assert (plain["sslmode"], plain["tcp_user_timeout"]) == ("require", "10000")
        told = conninfo_to_dict(dsn("postgresql+psycopg://a@db/sales?tcp_user_timeout=500"))
        assert told["tcp_user_timeout"] == "500"
