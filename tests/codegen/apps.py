"""Small apps of each stack as snapshots, and a plan carried out on one without a disk."""

from __future__ import annotations

from credyt_mcp.codegen.answers import Answers
from credyt_mcp.codegen.operations import Plan
from credyt_mcp.codegen.planning import plan
from credyt_mcp.codegen.snapshot import AppSnapshot

ANSWERS = Answers(events=("image_generated",), products=("studio",))

FASTAPI = {
    "requirements.txt": "fastapi\nuvicorn\n",
    "app/__init__.py": "",
    "app/main.py": "from fastapi import FastAPI\n\napp = FastAPI(title='Studio')\n\n\n"
    "@app.get('/')\ndef home() -> str:\n    return 'hello'\n",
    "README.md": None,
}
FLASK = {
    "pyproject.toml": '[project]\nname = "shop"\ndependencies = [\n    "flask",\n]\n',
    "shop/__init__.py": "from flask import Flask\n\n\ndef create_app() -> Flask:\n"
    "    app = Flask(__name__)\n    app.config['A'] = 1\n    return app\n",
    "shop/auth.py": "from flask import g\n\n\ndef who() -> str:\n    return g.user['id']\n",
    ".env.example": "SECRET_KEY=\nDEBUG=\n",
}
DJANGO = {
    "manage.py": "#!/usr/bin/env python\n",
    "studio/__init__.py": "",
    "studio/settings.py": "INSTALLED_APPS = [\n    'django.contrib.auth',\n]\n\nMIDDLEWARE = [\n"
    "    'django.middleware.common.CommonMiddleware',\n]\n\nROOT_URLCONF = 'studio.urls'\n",
    "studio/urls.py": "from django.urls import path\n\nfrom images import views\n\n"
    "urlpatterns = [\n    path('images', views.create),\n]\n",
    "images/views.py": "def create(request):\n    ...\n",
}
EXPRESS = {
    "package.json": '{"type": "module", "dependencies": {"express": "^5"}, '
    '"devDependencies": {"vitest": "^4"}}\n',
    "src/app.ts": 'import express from "express";\n\nconst app = express();\n'
    "app.use(express.json());\n\napp.listen(3000);\n",
}
HONO = {
    "package.json": '{"type": "module", "dependencies": {"hono": "^4"}}\n',
    "src/index.ts": 'import { Hono } from "hono";\n\nconst app = new Hono();\n\n'
    'app.get("/", (c) => c.text("hello"));\n\nexport default app;\n',
}
NEXTJS = {
    "package.json": '{"dependencies": {"next": "16"}}\n',
    "tsconfig.json": '{"compilerOptions": {"paths": {"@/*": ["./*"]}}}\n',
    "app/layout.tsx": None,
    "app/page.tsx": None,
}
SUPABASE = {
    "package.json": '{"type": "module", "devDependencies": {"vite": "^8"}}\n',
    "tsconfig.app.json": '{"compilerOptions": {"paths": {"@/*": ["./src/*"]}}}\n',
    "src/main.tsx": None,
    "src/integrations/supabase/client.ts": 'import { createClient } from "@supabase/supabase-js";\n'
    'export const supabase = createClient("url", "key");\n',
    "supabase/config.toml": 'project_id = "studio"\n\n[functions.images]\nverify_jwt = true\n',
    "supabase/functions/images/index.ts": None,
}
TANSTACK = {
    "package.json": '{"type": "module", "dependencies": {"@tanstack/react-start": "^1"}, '
    '"devDependencies": {"vite": "^8"}}\n',
    "tsconfig.json": '{"compilerOptions": {"paths": {"@/*": ["./src/*"]}}}\n',
    "src/routes/__root.tsx": None,
    "src/integrations/supabase/client.ts": None,
}
APPS: dict[str, dict[str, str | None]] = {
    "fastapi": FASTAPI,
    "flask": FLASK,
    "django": DJANGO,
    "express": EXPRESS,
    "hono": HONO,
    "nextjs": NEXTJS,
    "supabase": SUPABASE,
    "tanstack": TANSTACK,
}


def planned(files: dict[str, str | None], answers: Answers = ANSWERS) -> Plan:
    return plan(AppSnapshot(files), answers)


def applied(files: dict[str, str | None], made: Plan) -> dict[str, str | None]:
    """The files as they are once the plan was carried out."""
    return files | {one.path: one.after for one in made.operations if one.changes}


def integrated(files: dict[str, str | None], answers: Answers = ANSWERS) -> dict[str, str | None]:
    return applied(files, planned(files, answers))
