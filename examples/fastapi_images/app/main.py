"""Draws images for users who pay for each."""

from fastapi import FastAPI, Form, Response

from app.billing import RequestId, UserId, billable
from app.images import draw
from app.users import router as users
from app.billing import install as install_billing

app = FastAPI(title="Studio")
install_billing(app)
app.include_router(users)


@app.post("/images")
async def create_image(
    user_id: UserId, request_id: RequestId = None, prompt: str = Form("a house")
) -> Response:
    async with billable(user_id, "image_generated", request_id=request_id):
        return Response(draw(prompt, shapes=12), media_type="image/svg+xml")
