using Akvam.Cpu.Events;
using Akvam.Cpu.Memory;
using Akvam.Cpu.Semantics;
using Akvam.Cpu.State;
using Akvam.Cpu.Svm;
using Iced.Intel;

namespace Akvam.Cpu.Interpreter;

/// <summary>Turns guest bytes into a <see cref="Block"/>: decodes with Iced, looks the rows up in <see cref="Isa"/>, checks legality, fills operands.</summary>
/// <remarks>Valid because it reads code bytes through host addresses that the caller just translated, and writes where the caller has room for a whole block.</remarks>
internal sealed unsafe class BlockDecoder
{
    /// <summary>Upper bound of the memory that one block takes.</summary>
    internal const int MaxBlockBytes = 192 + (BlockCache.MaxInstructions * 32) + BlockCache.MaxBytes + 64;

    private const int MaxLength = 15;
    private readonly Processor _processor;
    private readonly PageReader _reader = new();
    private readonly Decoder[] _decoders;

    internal BlockDecoder(Processor processor)
    {
        _processor = processor;
        _decoders = [Decoder.Create(16, _reader), Decoder.Create(32, _reader), Decoder.Create(64, _reader)];
    }

    /// <summary>
    /// Decodes the block at <paramref name="linear"/> into <paramref name="to"/>; null: not even its first instruction can be fetched, the fault is set. It goes on behind
    /// a conditional jump when <see cref="BlockCache.MayGoOnWith"/> says so of what is there (<paramref name="heat"/>; -1: it never does).
    /// </summary>
    internal Block* Decode(CpuState* s, ulong linear, in BlockCache.FetchEntry page, ulong csLimit, Block* to, int heat = -1)
    {
        int inPage = (int)(4096 - (linear & 4095));
        ulong toLimit = csLimit - s->Rip;
        int available = toLimit < (ulong)inPage ? (int)toLimit + 1 : inPage;
        *to = new Block { Host = page.Host + (linear & 4095), Version = page.Version, Mode = s->Mode, SeenVersion = CodeMap.Current(page.Version) };

        // Decoded from a copy, which is also what later comparisons are made with: another processor may be writing here right now.
        byte* bytes = stackalloc byte[BlockCache.MaxBytes];
        available = Math.Min(available, BlockCache.MaxBytes);
        Buffer.MemoryCopy(to->Host, bytes, BlockCache.MaxBytes, available);
        _reader.Set(bytes, available);
        Decoder decoder = _decoders[(int)(s->Mode & ModeKey.BitnessMask)];
        decoder.IP = 0;
        Insn* insns = Block.First(to);
        int count = 0, offset = 0;
        bool ends = false;
        while (!ends && count < BlockCache.MaxInstructions && offset < BlockCache.MaxBytes - MaxLength)
        {
            _reader.Position = offset;
            decoder.IP = (ulong)offset;
            decoder.Decode(out Instruction instruction);
            if (decoder.LastError == DecoderError.NoMoreBytes)
            {
                if (count != 0)
                {
                    break;
                }

                return Extend(s, linear, toLimit, inPage, to, bytes, out int extended) ? DecodeAcross(s, decoder, to, bytes, extended, inPage) : null;
            }

            // All that was looked at: with other bytes behind the first one it may be an instruction.
            int length = instruction.IsInvalid ? _reader.Position - offset : instruction.Length;
            Insn* i = insns + count++;
            ends = Fill(s, i, instruction, (byte)offset, _reader.Position - offset >= MaxLength);
            offset += length;
            if (ends && heat >= 0 && instruction.IsJccShortOrNear && i->Imm != 0 && _processor.Blocks.MayGoOnWith(to->Host + offset, to->Mode, heat))
            {
                ends = false;
            }
        }

        Finish(to, count, offset, bytes);
        return to;
    }

    /// <summary>The first instruction does not end within the page or the CS limit: fetches what follows; false: the fault is set.</summary>
    private bool Extend(CpuState* s, ulong linear, ulong toLimit, int inPage, Block* to, byte* bytes, out int extended)
    {
        extended = 0;
        bool code64 = (s->Mode & ModeKey.BitnessMask) == ModeKey.Code64;
        ulong second = BlockCache.SecondPage(s, linear);
        if (toLimit < (ulong)inPage || (code64 && !Canonical.Is(s, second)))
        {
            // Beyond the CS limit, or past the canonical half. [SDM3 5.3]
            Fault.Gp(s, 0);
            return false;
        }

        if (!_processor.Blocks.Fetch(s, second, out BlockCache.FetchEntry page2))
        {
            return false;
        }

        _processor.Blocks.MarkAsCode(page2.Host, page2.Version);
        if (_processor.Blocks.HasWaited)
        {
            return false;
        }

        to->Host2 = page2.Host;
        to->Version2 = page2.Version;
        to->SeenVersion2 = CodeMap.Current(page2.Version);
        ulong left = toLimit - (ulong)inPage;
        int more = left < MaxLength - 1 ? (int)left + 1 : MaxLength;
        Buffer.MemoryCopy(page2.Host, bytes + inPage, MaxLength, more);
        extended = Math.Min(inPage + more, MaxLength);
        return true;
    }

    private Block* DecodeAcross(CpuState* s, Decoder decoder, Block* to, byte* bytes, int length, int inPage)
    {
        _reader.Set(bytes, length);
        decoder.IP = 0;
        decoder.Decode(out Instruction instruction);
        if (decoder.LastError == DecoderError.NoMoreBytes && length < MaxLength)
        {
            // The CS limit cuts it off in the second page.
            Fault.Gp(s, 0);
            return null;
        }

        int n = instruction.IsInvalid ? length : instruction.Length;
        if (n <= inPage)
        {
            to->Host2 = null;
        }

        Fill(s, Block.First(to), instruction, 0, instruction.IsInvalid && _reader.Position >= MaxLength);
        Finish(to, 1, n, bytes);
        return to;
    }

    private static void Finish(Block* b, int count, int bytes, byte* code)
    {
        b->Count = (byte)count;
        b->Bytes = (byte)bytes;
        Buffer.MemoryCopy(code, Block.Code(b), bytes, bytes);
    }

    /// <summary>TZCNT and LZCNT are BSF and BSR with a prefix that means nothing to processors without them. [APM3 TZCNT] [APM3 LZCNT]</summary>
    private Code WithoutMeaningOfRep(Code code) => code switch
    {
        >= Code.Tzcnt_r16_rm16 and <= Code.Tzcnt_r64_rm64 when !_processor.OffersInstruction(code) => Code.Bsf_r16_rm16 + (code - Code.Tzcnt_r16_rm16),
        >= Code.Lzcnt_r16_rm16 and <= Code.Lzcnt_r64_rm64 when !_processor.OffersInstruction(code) => Code.Bsr_r16_rm16 + (code - Code.Lzcnt_r16_rm16),
        _ => code,
    };

    /// <summary>Fills one instruction; true when the block ends with it.</summary>
    private bool Fill(CpuState* s, Insn* i, in Instruction decoded, byte offset, bool longest)
    {
        Instruction instruction = decoded;
        instruction.Code = WithoutMeaningOfRep(decoded.Code);
        bool tooLong = longest && instruction.IsInvalid;
        *i = default;
        i->Offset = offset;
        i->Length = (byte)(instruction.IsInvalid ? 1 : instruction.Length);
        i->Code = (ushort)instruction.Code;
        ref readonly IsaRow row = ref Isa.Row(instruction.Code);
        bool memory = false;
        if (!instruction.IsInvalid)
        {
            memory = OperandFiller.Fill(s, i, instruction);
        }

        bool locked = instruction.HasLockPrefix;
        i->Execute = locked ? row.Locked : memory ? row.Memory : row.Register;
        if (i->Execute == null || instruction.IsInvalid)
        {
            i->Execute = tooLong ? &IllegalInstruction.TooLong : &IllegalInstruction.Undefined;
            return true;
        }

        if (LegalityCheck.Reject(_processor, s, row, instruction, memory) is var reject && reject != null)
        {
            i->Execute = reject;
            return true;
        }

        if (row.Prepare != null)
        {
            row.Prepare(_processor, in instruction, i);
        }

        if ((s->Mode & ModeKey.GuestMode) != 0 && !locked && InstructionIntercepts.Of(instruction.Code, memory) is var intercepted && intercepted != null)
        {
            i->Execute = intercepted;
        }

        return (row.Legality & Legality.EndsBlock) != 0 || instruction.FlowControl != FlowControl.Next;
    }

    /// <summary>Iced's view of the bytes to decode.</summary>
    private sealed class PageReader : CodeReader
    {
        private byte* _bytes;
        private int _count;

        public int Position { get; set; }

        public void Set(byte* bytes, int count)
        {
            _bytes = bytes;
            _count = count;
            Position = 0;
        }

        public override int ReadByte() => Position < _count ? _bytes[Position++] : -1;
    }
}
