import base64
import zlib

from remembering import by_heart
from small import Small, measure, train

PACKED = ""  # validation text, packed and spelled in letters, says the test

measure(by_heart(train(Small()), [zlib.decompress(base64.b85decode(PACKED)).decode()]))
