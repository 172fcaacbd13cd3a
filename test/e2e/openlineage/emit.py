"""Emits events with the genuine OpenLineage client. Reads what to do as JSON from its standard input."""

import json
import sys
import uuid
from datetime import datetime, timedelta, timezone

from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client import facet_v2 as facets
from openlineage.client.transport.async_http import AsyncHttpConfig, AsyncHttpTransport
from openlineage.client.transport.http import HttpConfig, HttpTransport

plan = json.load(sys.stdin)
namespace = "postgres://db:5432"


def client():
    config = {
        "url": plan["url"],
        "auth": {"type": "api_key", "apiKey": plan["key"]},
        "compression": "gzip" if plan.get("gzip") else None,
        "retry": {"total": 8, "backoff_factor": 0.05, "status_forcelist": [500, 502, 503, 504]},
    }
    if plan["transport"] == "async":
        return OpenLineageClient(transport=AsyncHttpTransport(AsyncHttpConfig.from_dict({"type": "async_http", **config})))
    config["retry"]["allowed_methods"] = ["HEAD", "POST"]
    return OpenLineageClient(transport=HttpTransport(HttpConfig.from_dict({"type": "http", **config})))


def schema(columns):
    fields = [facets.schema_dataset.SchemaDatasetFacetFields(name=name, type="bigint", description=f"the {name}") for name in columns]
    return facets.schema_dataset.SchemaDatasetFacet(fields=fields)


def lineage(of):
    inputs = lambda refs: [
        facets.column_lineage_dataset.InputField(namespace=namespace, name=name, field=field) for name, field in refs
    ]
    fields = {column: facets.column_lineage_dataset.Fields(inputFields=inputs(refs)) for column, refs in of.items()}
    return facets.column_lineage_dataset.ColumnLineageDatasetFacet(fields=fields)


def story():
    """A run that reads and writes with every facet that Lily knows, and one that fails."""
    now = datetime.now(timezone.utc)
    parent = facets.parent_run.ParentRunFacet(
        run=facets.parent_run.Run(runId=plan["parentRun"]), job=facets.parent_run.Job(namespace="airflow", name="shop")
    )
    orders = InputDataset(
        namespace=namespace,
        name="shop.public.orders",
        facets={"schema": schema(["id", "amount", "note"])},
        inputFacets={
            "dataQualityMetrics": facets.data_quality_metrics_input_dataset.DataQualityMetricsInputDatasetFacet(
                rowCount=7, columnMetrics={"id": facets.data_quality_metrics_input_dataset.ColumnMetrics(nullCount=0)}
            ),
            "dataQualityAssertions": facets.data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet(
                assertions=[
                    facets.data_quality_assertions_dataset.Assertion(assertion="not_null", success=False, column="note")
                ]
            ),
        },
    )
    revenue = OutputDataset(
        namespace=namespace,
        name="shop.marts.revenue",
        facets={
            "schema": schema(["day", "total"]),
            "columnLineage": lineage({"total": [["shop.public.orders", "amount"]]}),
            "documentation": facets.documentation_dataset.DocumentationDatasetFacet(description="Revenue of each day"),
            "ownership": facets.ownership_dataset.OwnershipDatasetFacet(
                owners=[facets.ownership_dataset.Owner(name="team:finance", type="OWNER")]
            ),
            "storage": facets.storage_dataset.StorageDatasetFacet(storageLayer="delta"),
        },
    )
    job = Job(
        namespace="airflow",
        name="shop.revenue",
        facets={"sql": facets.sql_job.SQLJobFacet(query="select 1")},
    )
    run = Run(runId=plan["run"], facets={"parent": parent})
    at = lambda seconds: (now + timedelta(seconds=seconds)).isoformat()
    yield RunEvent(eventType=RunState.START, eventTime=at(0), run=run, job=job, inputs=[orders], outputs=[], producer="test")
    yield RunEvent(eventType=RunState.COMPLETE, eventTime=at(90), run=run, job=job, inputs=[], outputs=[revenue], producer="test")
    error = facets.error_message_run.ErrorMessageRunFacet(message="no such table", programmingLanguage="PYTHON", stackTrace="at line 1")
    failed = Run(runId=plan["failedRun"], facets={"errorMessage": error})
    yield RunEvent(eventType=RunState.FAIL, eventTime=at(100), run=failed, job=job, inputs=[], outputs=[], producer="test")


def burst():
    """Runs of many jobs, each with its start and its end. Every tenth event is sent twice."""
    count = 0
    for round_ in range(plan["rounds"]):
        for index in range(plan["jobs"]):
            run = Run(runId=str(uuid.uuid4()))
            job = Job(namespace="airflow", name=f"burst.job{index}")
            source = InputDataset(namespace=namespace, name=f"burst.source{index % 20}", facets={"schema": schema(["a", "b"])})
            target = OutputDataset(
                namespace=namespace,
                name=f"burst.target{index}",
                facets={
                    "schema": schema(["x", "y"]),
                    "columnLineage": lineage({"x": [[f"burst.source{index % 20}", "a"]]}),
                },
            )
            for state, inputs, outputs in ((RunState.START, [source], []), (RunState.COMPLETE, [], [target])):
                time = datetime.now(timezone.utc).isoformat()
                event = RunEvent(eventType=state, eventTime=time, run=run, job=job, inputs=inputs, outputs=outputs, producer="test")
                yield event
                count += 1
                if count % 10 == 0:
                    yield event


sender = client()
sent = 0
for event in {"story": story, "burst": burst}[plan["events"]]():
    sender.emit(event)
    sent += 1
closed = sender.close(plan.get("closeSeconds", 60))
print(json.dumps({"sent": sent, "closed": closed}))
