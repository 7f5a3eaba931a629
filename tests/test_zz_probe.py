import json, pytest
from tests.conftest import *
from tests.entrypoints.test_rest_products import *
@pytest.mark.parametrize("database_url",["sqlite"],indirect=True)
async def test_probe(rest, mcp):
    def p(**c): return {**PRODUCT,"prices":[{**IMAGE,**c}]}
    tiers = [{"up_to": 10, "unit_price": 2}, {"up_to": 5, "unit_price": 1}, {"unit_price": 0}]
    for body in (p(pricing_model="tiered", pricing=[{"asset":"USD","values":tiers}]), p(type="x"), {**PRODUCT,"prices":[{"name":"a"}]},{**PRODUCT,"prices":["a"]},
      p(pricing=[{"asset":"USD","values":[{"unit_price":1,"min_amount":3,"max_amount":2}]}]),p(pricing=[{"asset":"USD","values":[{"unit_price":1},{"dimensions":{},"values":[]}]}]),
      p(billing_model={"type":"recurring"}), p(billing_model={"type":"y"}), p(usage_calculation={"event_type":"","usage_type":"custom"}),p(usage_calculation={"event_type":"x","usage_type":"volume"}), p(usage_calculation=None), {**PRODUCT,"entitlements":[{"name":"x"}]}, {**PRODUCT,"publish":"maybe"}, {**PRODUCT,"entitlements":None,"publish":None}):
        a=await rest.post("/products",json=body); print(a.status_code, json.dumps(a.json().get("errors"),indent=0) if a.status_code!=201 else a.json())
    s=(await rest.get("/openapi.json")).json(); print(json.dumps(s["components"]["schemas"].get("ProductDetails"))); print(json.dumps(s["components"]["schemas"].get("ProductFields"))[:600])
    for m,u in (("GET","/products/%00"),("POST","/products"),("GET","/products?code=%00"),("GET","/products?limit=0"),("GET","/products?offset=99999999999999999999")):
        try:
            a=await rest.request(m,u,**({"json":{"name":"a\x00b","code":"x","prices":[]}} if m=="POST" else {})); print(u,a.status_code,a.text[:200])
        except Exception as e: print(u,repr(e)[:200])
    print((await mcp.call_tool("create_product",{"name":"x","code":"y","prices":'[{"a":1}]'})).content[0].text)
    print((await mcp.call_tool("create_product",{"name":"x","code":"y","prices":[{"name":"Image"}]})).content[0].text)
