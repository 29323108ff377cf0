"""What stands on screens, written by hand: menus, buttons, messages, errors, commands, code."""

from __future__ import annotations

MENUS: tuple[str, ...] = (
    "File", "Edit", "View", "Insert", "Format", "Tools", "Window", "Help", "Search", "Go", "Bookmarks", "History",
    "Selection", "Terminal", "Project",
)  # fmt: skip

BUTTONS: tuple[str, ...] = (
    "OK", "Cancel", "Save", "Open", "Close", "Apply", "Retry", "Ignore", "Abort", "Yes", "No", "Next", "Back",
    "Finish", "Submit", "Send", "Delete", "Sign in", "Sign up", "Log out", "Continue", "Allow", "Deny", "Restart now",
    "Later", "Buy now", "Add to cart", "Subscribe", "Download", "Upload", "Share", "Reply", "Accept all", "Reject",
    "Learn more", "Try again", "Not now", "Done", "Browse...", "Install", "Update", "Print", "Export",
)  # fmt: skip

LABELS: tuple[str, ...] = (
    "Username", "Password", "E-mail address", "First name", "Last name", "Phone number", "Remember me",
    "Forgot your password?", "Settings", "General", "Notifications", "Display", "Sound", "Battery", "Storage",
    "Privacy", "Accounts", "Wi-Fi", "Bluetooth", "Airplane mode", "Dark mode", "Language", "Keyboard",
    "About this device", "Software update", "Inbox (3)", "Sent", "Drafts", "Spam", "Trash", "Contacts", "Calendar",
    "Photos", "Camera", "Messages", "Music", "Weather", "Clock", "Maps", "Files", "Desktop", "Documents", "Downloads",
    "Pictures", "Videos", "Recent", "Favourites", "Dashboard", "Reports", "Users", "Orders", "Products", "Revenue",
    "Visitors", "Conversion", "Total balance", "Transactions", "Profile", "Home", "Location services", "Screen time",
    "Security", "Backup", "Accessibility", "Do not disturb", "Volume", "Brightness", "Mobile data", "Hotspot",
)  # fmt: skip

MESSAGES: tuple[str, ...] = (
    "Are you sure you want to delete this file?", "The file could not be found.",
    "Connection lost. Trying to reconnect...", "Error 404: Page not found", "500 Internal Server Error",
    "Your session has expired.", "Do you want to save the changes?", "Access denied.", "Disk is almost full.",
    "An unexpected error occurred.", "The application has stopped responding.", "Update available",
    "Installation complete", "Loading, please wait...", "No internet connection", "This site can't be reached",
    "Your password was changed.", "Low battery: 10% remaining", "Invalid username or password.", "Message sent",
    "Download finished", "Scanning for viruses...", "Printer is out of paper.", "Permission required",
    "Backup completed successfully", "Your PC ran into a problem and needs to restart.",
    "A fatal exception has occurred.", "Out of memory", "File already exists. Replace it?",
    "This action cannot be undone.", "Payment declined", "Verification code sent", "Your cart is empty",
    "No results found", "Sync failed", "Your connection is not private", "Please fill in all required fields.",
    "The device is not ready.", "Cannot open display", "Timed out",
)  # fmt: skip

COMMANDS: tuple[str, ...] = (
    "ls -la", "cd projects", "git status", "git commit -m 'fix typo'", "git push origin main", "python3 main.py",
    "pip install numpy", "npm run build", "docker compose up -d", "make test", "ssh admin@server", "cat notes.txt",
    "grep -r error logs/", "sudo apt update", "top", "df -h", "ping 10.0.0.1", "cargo build --release",
    "tail -f /var/log/syslog", "curl -I http://localhost:8080", "kubectl get pods", "chmod +x run.sh", "history",
    "pytest -q",
)  # fmt: skip

OUTPUTS: tuple[str, ...] = (
    "total 48", "On branch main", "nothing to commit, working tree clean", "drwxr-xr-x 5 root root 4096",
    "-rw-r--r-- 1 user staff 1204 setup.py", "Traceback (most recent call last):",
    "ValueError: invalid literal for int()", "KeyError: 'name'", "fatal: not a git repository", "Permission denied",
    "command not found: foo", "Segmentation fault (core dumped)", "12 passed, 1 failed in 3.41s",
    "Compiling main v0.1.0", "Finished in 2.31s", "64 bytes from 10.0.0.1: time=0.4 ms",
    "Successfully installed numpy-2.1.0", "warning: unused variable: x", "[INFO] Server started on port 8080",
    "[WARN] retrying in 5 seconds", "[ERROR] connection refused", "Epoch 3/10 loss: 0.4312",
    "100% |##########| 64/64", "Done.", "Filesystem Size Used Avail",
)  # fmt: skip

CODE: tuple[str, ...] = (
    "import os", "import sys", "from math import sqrt", "def main():", "    print('hello')", "    return 0",
    "for i in range(10):", "    total += i", "if x > 0:", "else:", "    x = x - 1", "class User:",
    "    def __init__(self):", "        self.name = name", "while True:", "    break", "const x = 42;",
    "function add(a, b) {", "    return a + b;", "}", "let items = [];", "console.log(items);", "#include <stdio.h>",
    "int main(void) {", "    printf('%d', n);", "public static void main()", "SELECT * FROM users", "WHERE id = 7;",
    "<div class='box'>", "</div>", "try:", "except KeyError:", "    raise", "// update the counter",
    "# read the file", "with open(path) as f:", "    data = f.read()", "async def fetch(url):", "    await sleep(1)",
)  # fmt: skip
